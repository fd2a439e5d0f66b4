#pragma once
// Standard base64 with padding (RFC 4648 section 4), as HTTP's basic authentication and etcd's JSON gateway use it.

#include <optional>
#include <string>
#include <string_view>

namespace nuropb::http {

std::string base64(std::string_view bytes);
/// Nothing, if the text is not exactly what base64() would have written.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace nuropb::http
