#pragma once
// Finding a consumer's token in its handshake. Pure: the edge only finds it, meshd judges it (design: *Identity is
// sealed*). Order as nuropb-gw's: the header, then the cookie (protocol.md section 2, "Authorization order").

#include <optional>
#include <string>
#include <string_view>

#include "common/records.hpp"

namespace nuropb::edge {

struct FoundToken {
  records::CredentialKind kind = records::CredentialKind::header;
  std::string token;
};

/// Header values as nuropb-gw takes them: `Bearer x`, `Bearer: x`, `Bearer :x`, `Bearerx`, or the bare token.
std::string strip_bearer(std::string_view header);

/// The value of one cookie of a Cookie header; a quoted value without its quotes.
std::optional<std::string> cookie_value(std::string_view cookie_header, std::string_view name);

/// `authorization` and `cookies` are header values, empty where missing; `cookie_name` empty: cookies don't count.
/// Nothing, if there is no token or one that is longer than a record holds.
std::optional<FoundToken> find_token(std::string_view authorization, std::string_view cookies, std::string_view cookie_name);

}  // namespace nuropb::edge
