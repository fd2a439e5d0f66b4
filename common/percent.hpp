#pragma once
// Percent-encoding (RFC 3986 section 2.1), as addresses of brokers and of HTTP servers share it. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace nuropb {

/// All but the unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);
/// Nothing, if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text);

/// RFC 3986 section 2.3: what may stand in an address as it is.
bool is_unreserved(char c);
/// What may stand in a host name or an address of IPv4 or IPv6.
bool is_of_a_host(char c);

}  // namespace nuropb
