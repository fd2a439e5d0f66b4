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
  std::optional<std::string> user;  ///< percent-decoded, like the password; nothing: no '@'
  std::string password;
  std::string host;  ///< without the brackets of an IPv6 literal
  std::optional<std::uint16_t> port;
};
/// Takes `scheme` and "://" off the front of an address, in any case of letters (RFC 3986, section 3.1); false: it has another.
bool take_scheme(std::string_view& address, std::string_view scheme);
/// The error is the end of a sentence: "has no host". It shows nothing of the text.
tl::expected<Authority, const char*> parse_authority(std::string_view text);

/// host:port, an IPv6 literal in brackets.
std::string host_and_port(const std::string& host, std::uint16_t port);
/// A whole address with *** for all that may be user and password, whatever is wrong with it: for errors and logs.
std::string without_login(std::string_view address);

}  // namespace nuropb
