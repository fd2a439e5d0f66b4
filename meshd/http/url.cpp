#include "meshd/http/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/percent.hpp"

namespace nuropb::http {
namespace {

bool of_a_path(char c) { return is_unreserved(c) || c == '/' || c == '%' || c == '+' || c == ','; }

/// The text without what may be user and password, whatever else is wrong with it.
std::string safe(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos) return std::string(text);
  const auto scheme = text.substr(0, at).find("://");
  return std::string(text.substr(0, scheme == std::string_view::npos ? 0 : scheme + 3)) + "***" + std::string(text.substr(at));
}

}  // namespace

std::string Url::authority() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Url::redacted() const {
  return std::string(tls ? "https://" : "http://") + (user.empty() ? "" : percent_encode(user) + ":***@") + authority() + base;
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](const char* what) { return failure(what, safe(text), "http://user:password@host:port"); };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    url.port = 443;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong("begins with neither http:// nor https://");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) return wrong("has a query or a fragment");
  std::string_view authority = rest.substr(0, rest.find('/'));
  url.base = rest.substr(authority.size());
  while (url.base.ends_with('/')) url.base.pop_back();
  if (!std::all_of(url.base.begin(), url.base.end(), of_a_path)) return wrong("has a character in its path that has to be %-encoded");
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    const auto colon = login.find(':');
    const auto user = percent_decode(login.substr(0, colon));
    const auto password = colon == std::string_view::npos ? std::optional<std::string>("") : percent_decode(login.substr(colon + 1));
    if (!user || !password) return wrong("has a user or password with a bad %-escape");
    if (user->empty()) return wrong("has a password without a user");
    if (user->find(':') != std::string::npos) return wrong("has a user with a ':', which basic authentication can't carry");
    url.user = *user;
    url.password = *password;
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return wrong("has a '[' without its ']'");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (!authority.empty() && authority[0] != ':') return wrong("has text behind ']'");
    has_port = !authority.empty();
    if (has_port) port = authority.substr(1);
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
  }
  if (url.host.empty()) return wrong("has no host");
  if (!std::all_of(url.host.begin(), url.host.end(), is_of_a_host)) return wrong("has a character in its host that no host name has");
  if (has_port) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535) return wrong("has a port that is not 1 to 65535");
    url.port = static_cast<std::uint16_t>(value);
  }
  return url;
}

}  // namespace nuropb::http
