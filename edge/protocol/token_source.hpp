#pragma once
// Finding a consumer's token in its handshake. Pure: the edge only finds it, meshd judges it (design.md, rule 2:
// sealed*). Order as nuropb-gw's: the header, then the cookie, then the session cookie (nuropb-wire.md section 2,
// "Authorization order").

#include <optional>
#include <string>
#include <string_view>

#include "common/records.hpp"

namespace nuropb::edge {

struct FoundToken {
  records::CredentialKind kind = records::CredentialKind::header;
  std::string token;
  std::uint64_t valid_until = 0;  ///< of a client certificate: its end in Unix time
};

/// Header values as nuropb-gw takes them: `Bearer x`, `Bearer: x`, `Bearer :x`, `Bearerx`, or the bare token; the scheme in
/// any case where it stands apart, and with any number of spaces behind it.
std::string strip_bearer(std::string_view header);

/// The value of one cookie of a Cookie header; a quoted value without its quotes.
std::optional<std::string> cookie_value(std::string_view cookie_header, std::string_view name);

/// What a handshake has to look at; empty where missing.
struct TokenTexts {
  std::string_view method;         ///< cookies count for GET only
  std::string_view authorization;  ///< the header's value, like the next two
  std::string_view cookies;
  std::string_view protocols;  ///< Sec-WebSocket-Protocol
  std::string_view query;      ///< as it was sent
};
/// What the config looks for; empty: not there.
struct TokenNames {
  std::string_view cookie, session_cookie, query;
  bool subprotocol = false;
};
/// What the page or app gave on purpose comes before what a browser sends by itself: header, subprotocol, query, cookie,
/// session cookie. Nothing, if there is no token or one that is longer than a record holds.
std::optional<FoundToken> find_token(const TokenTexts& texts, const TokenNames& names);

/// The token among offered subprotocols, for browsers, which can set no header: `bearer.<token>`, or where a token has
/// bytes that can't stand there, `base64url.bearer.authorization.nuropb.<token in unpadded base64url>` (after Kubernetes).
std::optional<std::string> token_of_protocols(std::string_view protocols);
/// True if that very subprotocol is offered.
bool offers_protocol(std::string_view protocols, std::string_view name);
/// The subprotocol that is spoken at listen.path; what is selected in the token's stead.
inline constexpr std::string_view subprotocol_name = "nuropb";

/// The value of one parameter of a query, decoded ('+' stands for itself).
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace nuropb::edge
