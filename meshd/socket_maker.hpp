#pragma once
// Recreates meshd's two sockets in the runtime folder if they are removed: meshd itself is no longer allowed to listen
// (common/sandbox.hpp), so that an attacker who has compromised it cannot open a port.
//
// A helper process, started before meshd drops its privileges. It is asked for a socket by index; path, mode and group
// of each are fixed at its start. It ends together with meshd.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::meshd {

class SocketMaker {
 public:
  struct Place {
    std::string path;
    int type = 0;                  ///< SOCK_SEQPACKET, SOCK_STREAM
    std::optional<gid_t> group{};  ///< a group that may connect as well; empty: the owner only
  };
  static constexpr std::size_t control = 0, admin = 1;  ///< indexes of meshd's sockets

  SocketMaker() = default;  ///< an object that can make no sockets
  /// To be called before a second thread exists.
  static Result<SocketMaker> start(const std::vector<Place>& places);
  /// Creates a listening socket at that path, replacing what is there.
  Result<shm::UniqueFd> make(std::size_t place);

 private:
  shm::UniqueFd socket_;
};

}  // namespace nuropb::meshd
