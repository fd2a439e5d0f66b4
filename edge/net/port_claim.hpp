#pragma once
// Detects another gateway on the same port. All edges of one gateway listen on it with SO_REUSEPORT, and for that
// reason the kernel would also let edges of a second gateway of the same user listen there: half of the clients would
// be connected to it, with tokens that it does not know.
//
// A claim is a Unix socket with a name in the abstract namespace that contains port, address and gateway. It exists as
// long as the edge listens. The kernel keeps such names per network namespace, exactly like ports, and removes a name
// with its process, so a crash leaves none behind. A claim only counts if it belongs to our own user, because only then
// could the port be shared with its owner.
//
// A gateway is identified by its runtime folder, which is the same for all its edges, including those that drain or
// were left by an upgrade.

#include <cstdint>
#include <string>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class PortClaim {
 public:
  PortClaim() = default;  ///< claims nothing
  /// To be called before listening on the port. `folder`: gateway.runtime_dir; an empty one, or port 0, claims nothing.
  /// The error reports that another gateway has the port.
  static Result<PortClaim> take(const std::string& address, std::uint16_t port, const std::string& folder);
  /// To be called when the edge stops listening.
  void release() { name_.reset(); }

 private:
  shm::UniqueFd name_;
};

}  // namespace nuropb::edge
