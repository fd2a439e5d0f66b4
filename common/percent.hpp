#pragma once
// Percent-encoding (RFC 3986 section 2.1), for addresses of brokers and of HTTP servers. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace nuropb {

/// Encodes every character except the unreserved ones as %XX.
std::string percent_encode(std::string_view text);
/// Empty if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

/// Whether the character may appear unencoded (RFC 3986 section 2.3).
bool is_unreserved(char c);
/// Whether the character may appear in a host name, an IPv4 address or an IPv6 address.
bool is_of_a_host(char c);

}  // namespace nuropb
