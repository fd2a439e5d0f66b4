#pragma once
// Connects over TCP to a name with several addresses, some of which may not respond (RFC 8305, "Happy Eyeballs"). The
// next address is tried 250 ms after the previous one, or as soon as that one fails, and the first connection that is
// established wins. So an unreachable address costs a quarter of a second instead of the whole timeout.
//
// Blocks the calling thread. Used for the broker; HTTP uses libcurl (meshd/http).

#include <sys/socket.h>

#include <string>
#include <vector>

#include "common/clock.hpp"

namespace nuropb {

struct DialAddress {
  sockaddr_storage address{};
  socklen_t size = 0;
  /// "10.0.0.1:5672", "[::1]:5672".
  [[nodiscard]] std::string text() const;
  /// "10.0.0.1", "::1", "fe80::1%eth0".
  [[nodiscard]] std::string host() const;
};

/// Orders addresses for dialing: as the resolver returns them, with address families interleaved (RFC 8305, section 4).
std::vector<DialAddress> in_turn(std::vector<DialAddress> addresses);

/// Resolves a name, or an address as text, in the order of in_turn(). Blocks as long as the resolver does. Returns an
/// empty list and sets `why` on failure.
std::vector<DialAddress> look_up(const std::string& host, std::uint16_t port, std::string& why);

struct Dialled {
  int fd = -1;     ///< connected, non-blocking, close-on-exec, owned by the caller; -1: failed
  int error = 0;   ///< reason of the failure: ETIMEDOUT, or the error of the last address (ECONNREFUSED)
  DialAddress to;  ///< the address that was connected
  std::vector<std::string>
      /// Texts of addresses that were tried earlier and failed or did not respond.
      passed_over;
};

inline constexpr milliseconds dial_delay{250};

Dialled dial(const std::vector<DialAddress>& addresses, SteadyTime deadline);

}  // namespace nuropb
