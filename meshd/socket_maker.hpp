#pragma once
// Makes meshd's two sockets in the runtime folder again, should they be removed from it: meshd itself has given up to listen
// (common/sandbox.hpp), so that an attacker in it can open no door.
//
// A process of its own, made before meshd gives anything up. It is asked by a number, makes the socket of that number, whose
// path, mode and group were fixed when it began, and hands it over. It ends with meshd.

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
    std::optional<gid_t> group{};  ///< that may connect as well; nothing: the owner alone
  };
  static constexpr std::size_t control = 0, admin = 1;  ///< places of meshd

  SocketMaker() = default;  ///< that can make none
  /// Before there is a second thread.
  static Result<SocketMaker> start(const std::vector<Place>& places);
  /// A socket that listens at that place, over what is there.
  Result<shm::UniqueFd> make(std::size_t place);

 private:
  shm::UniqueFd socket_;
};

}  // namespace nuropb::meshd
