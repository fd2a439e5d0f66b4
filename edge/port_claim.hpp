#pragma once
// Which gateway a port belongs to. All edges of one gateway listen on it side by side (SO_REUSEPORT), and for that very
// reason the kernel would let those of a second gateway of the same user listen there, too: half of the consumers would come
// to it, with tokens that it does not know.
//
// A claim is a Unix socket with a name in the abstract namespace, which says port, address and gateway, and which is there
// as long as the edge listens. The kernel keeps such names, one list for each network namespace, exactly as it keeps ports;
// it drops a name with the process that has it, so that no crash leaves one. A claim counts only if it is of our own user,
// because only then the port could be shared with its owner.
//
// A gateway is known by its runtime folder. All its edges have the same, those that drain or that an upgrade has left too.

#include <cstdint>
#include <string>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class PortClaim {
 public:
  PortClaim() = default;  ///< of nothing
  /// Before the port is listened on. `folder`: gateway.runtime_dir; an empty one, or port 0, claims nothing. The error says
  /// that another gateway is there.
  static Result<PortClaim> take(const std::string& address, std::uint16_t port, const std::string& folder);
  /// When it is not listened on any more.
  void release() { name_.reset(); }

 private:
  shm::UniqueFd name_;
};

}  // namespace nuropb::edge
