#pragma once
// Finds a client's token in its handshake. Pure: the edge only finds it, meshd authenticates it (design.md, rule 2).
// The order is nuropb-gw's: the header, then the cookie, then the session cookie (nuropb-wire.md section 2,
// "Authorization order").

#include <optional>
#include <string>
#include <string_view>

#include "common/records.hpp"

namespace nuropb::edge {

struct FoundToken {
  records::CredentialKind kind = records::CredentialKind::header;
  std::string token;
  std::uint64_t valid_until = 0;  ///< of a client certificate: Unix time of its expiry
};

/// Parses header values as nuropb-gw does: `Bearer x`, `Bearer: x`, `Bearer :x`, `Bearerx`, or the bare token; the
/// scheme in any case if it is separated, and followed by any number of spaces.
std::string strip_bearer(std::string_view header);

/// The value of one cookie in a Cookie header, without quotes.
std::optional<std::string> cookie_value(std::string_view cookie_header, std::string_view name);

/// The parts of a handshake that may contain a token; empty if missing.
struct TokenTexts {
  std::string_view method;         ///< cookies are only used for GET
  std::string_view authorization;  ///< the header's value, like the next two
  std::string_view cookies;
  std::string_view protocols;  ///< Sec-WebSocket-Protocol
  std::string_view query;      ///< as it was sent
};
/// The configured names; empty: not used.
struct TokenNames {
  std::string_view cookie, session_cookie, query;
  bool subprotocol = false;
};
/// Finds the token. What the page or app sends explicitly precedes what a browser sends automatically: header,
/// subprotocol, query, cookie, session cookie. Empty if there is no token, or it is longer than a record allows.
std::optional<FoundToken> find_token(const TokenTexts& texts, const TokenNames& names);

/// The token among the offered subprotocols, for browsers, which cannot set headers: `bearer.<token>`, or, if the token
/// contains characters that are not allowed there, `base64url.bearer.authorization.nuropb.<token in unpadded
/// base64url>` (after Kubernetes).
std::optional<std::string> token_of_protocols(std::string_view protocols);
/// Whether exactly this subprotocol is offered.
bool offers_protocol(std::string_view protocols, std::string_view name);
/// The subprotocol at listen.path, which is selected instead of the token.
inline constexpr std::string_view subprotocol_name = "nuropb";

/// The decoded value of one query parameter ('+' is literal).
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace nuropb::edge
