#include "edge/protocol/token_source.hpp"

#include <algorithm>

#include "common/base64.hpp"
#include "common/percent.hpp"
#include "common/same_letters.hpp"

namespace nuropb::edge {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string strip_bearer(std::string_view header) {
  header = trim(header);
  constexpr std::string_view scheme = "Bearer";
  std::string_view rest = header.substr(std::min(scheme.size(), header.size()));
  // The scheme is case-insensitive (RFC 9110, section 11.1). Without a separator only nuropb-gw's spelling is accepted,
  // because a token may begin with these letters itself.
  const bool apart = rest.empty() || rest.front() == ' ' || rest.front() == '\t' || rest.front() == ':';
  if (!header.starts_with(scheme) && !(apart && same_letters(header.substr(0, scheme.size()), scheme)))
    return std::string(header);
  rest = trim(rest);
  if (rest.starts_with(':')) rest = trim(rest.substr(1));
  return std::string(rest);
}

std::optional<std::string> cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const auto end = header.find(';');
    const std::string_view pair = trim(header.substr(0, end));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && trim(pair.substr(0, equals)) == name) {
      std::string_view value = trim(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return std::string(value);
    }
    if (end == std::string_view::npos) break;
    header.remove_prefix(end + 1);
  }
  return {};
}

namespace {

/// Calls `take` with each element of a comma-separated list until it returns true.
template <class Take>
bool any_of_list(std::string_view list, Take&& take) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (take(trim(list.substr(0, comma)))) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

bool offers_protocol(std::string_view protocols, std::string_view name) {
  return any_of_list(protocols, [&](std::string_view one) { return one == name; });
}

std::optional<std::string> token_of_protocols(std::string_view protocols) {
  constexpr std::string_view plain = "bearer.", encoded = "base64url.bearer.authorization.nuropb.";
  std::optional<std::string> out;
  any_of_list(protocols, [&](std::string_view one) {
    if (one.starts_with(plain)) {
      out = std::string(one.substr(plain.size()));
    } else if (one.starts_with(encoded)) {
      std::string text(one.substr(encoded.size()));
      if (text.find('=') != std::string::npos) return false;  // not allowed in a subprotocol
      while (text.size() % 4 != 0) text += '=';
      out = base64::decode(text, base64::Alphabet::url);
    }
    return out.has_value();
  });
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return percent_decode(pair.substr(equals + 1));
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return {};
}

std::optional<FoundToken> find_token(const TokenTexts& texts, const TokenNames& names) {
  using records::CredentialKind;
  const auto usable = [](const std::string& token) {
    return !token.empty() && token.size() <= records::max_credential;
  };
  if (std::string token = strip_bearer(texts.authorization); usable(token))
    return FoundToken{CredentialKind::header, std::move(token)};
  if (names.subprotocol) {
    if (auto token = token_of_protocols(texts.protocols); token && usable(*token))
      return FoundToken{CredentialKind::subprotocol, std::move(*token)};
  }
  if (!names.query.empty()) {
    if (auto token = query_value(texts.query, names.query); token && usable(*token))
      return FoundToken{CredentialKind::query, std::move(*token)};
  }
  if (texts.method != "GET") return {};
  if (!names.cookie.empty()) {
    if (const auto cookie = cookie_value(texts.cookies, names.cookie)) {
      if (std::string token = strip_bearer(*cookie); usable(token))
        return FoundToken{CredentialKind::cookie, std::move(token)};
    }
  }
  if (!names.session_cookie.empty()) {
    if (auto cookie = cookie_value(texts.cookies, names.session_cookie); cookie && usable(*cookie))
      return FoundToken{CredentialKind::session_cookie, std::move(*cookie)};
  }
  return {};
}

}  // namespace nuropb::edge
