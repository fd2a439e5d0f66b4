#pragma once
// Connecting over TCP to a name with several addresses, of which some may be silent (RFC 8305, "Happy Eyeballs"): the next
// address is begun 250 ms after the one before, or as soon as that has failed, and the first that answers is taken. So an
// address behind which nothing is costs a quarter of a second, and not all of the time that there is.
//
// Blocks the caller's thread. Used for the broker; HTTP is libcurl's (meshd/http).

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

/// In the order in which they are begun: as the resolver gives them, but families in turn (RFC 8305, section 4).
std::vector<DialAddress> in_turn(std::vector<DialAddress> addresses);

/// What a name, or an address as text, leads to, in_turn(). Blocks for as long as the resolver does. Empty: nothing, and why.
std::vector<DialAddress> look_up(const std::string& host, std::uint16_t port, std::string& why);

struct Dialled {
  int fd = -1;     ///< connected, non-blocking, close-on-exec; the caller's. -1: none
  int error = 0;   ///< why none: ETIMEDOUT, or what the last address has said (ECONNREFUSED)
  DialAddress to;  ///< whom it leads to
  std::vector<std::string>
      passed_over;  ///< texts of addresses that were begun earlier, and have failed or said nothing
};

inline constexpr milliseconds dial_delay{250};

Dialled dial(const std::vector<DialAddress>& addresses, SteadyTime deadline);

}  // namespace nuropb
