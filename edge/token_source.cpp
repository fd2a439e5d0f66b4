#include "edge/token_source.hpp"

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
  for (const std::string_view prefix : {"Bearer :", "Bearer:", "Bearer ", "Bearer"}) {
    if (header.starts_with(prefix)) return std::string(trim(header.substr(prefix.size())));
  }
  return std::string(header);
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

std::optional<FoundToken> find_token(std::string_view authorization, std::string_view cookies, std::string_view cookie_name) {
  const auto usable = [](const std::string& token) { return !token.empty() && token.size() <= records::max_credential; };
  if (std::string token = strip_bearer(authorization); usable(token)) return FoundToken{records::CredentialKind::header, std::move(token)};
  if (cookie_name.empty()) return {};
  if (const auto cookie = cookie_value(cookies, cookie_name)) {
    if (std::string token = strip_bearer(*cookie); usable(token)) return FoundToken{records::CredentialKind::cookie, std::move(token)};
  }
  return {};
}

}  // namespace nuropb::edge
