#pragma once
// The part user:password@host:port of an address (RFC 3986 section 3.2), as addresses of brokers and of HTTP servers
// share it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace nuropb {

struct Authority {
  /// Percent-decoded, like the password. Empty if the text has no '@'.
  std::optional<std::string> user;
  std::string password;
  std::string host;  ///< without the brackets of an IPv6 literal
  std::optional<std::uint16_t> port;
};
/// Removes `scheme` and "://" from the front of an address; letter case does not matter (RFC 3986, section 3.1).
/// Returns false, and leaves the address alone, if it has another scheme.
bool take_scheme(std::string_view& address, std::string_view scheme);
/// Splits an authority. The error completes a sentence ("has no host") and never shows the text itself.
tl::expected<Authority, const char*> parse_authority(std::string_view text);

/// host:port, an IPv6 literal in brackets.
std::string host_and_port(const std::string& host, std::uint16_t port);
/// A whole address with everything that may be user and password replaced by ***, even if the address is malformed. For
/// errors and logs.
std::string without_login(std::string_view address);

}  // namespace nuropb
