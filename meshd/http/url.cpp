#include "meshd/http/url.hpp"

#include <algorithm>

#include "common/authority.hpp"
#include "common/percent.hpp"

namespace nuropb::http {
namespace {

bool of_a_path(char c) { return is_unreserved(c) || c == '/' || c == '%' || c == '+' || c == ','; }

}  // namespace

std::string Url::authority() const { return host_and_port(host, port); }

std::string Url::redacted() const {
  return std::string(tls ? "https://" : "http://") + (user.empty() ? "" : percent_encode(user) + ":***@") +
         authority() + base;
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](const char* what) {
    return failure(what, without_login(text), "http://user:password@host:port");
  };
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
  const auto slash = std::min(rest.find('/'), rest.size());
  url.base = rest.substr(slash);
  while (url.base.ends_with('/')) url.base.pop_back();
  if (!std::all_of(url.base.begin(), url.base.end(), of_a_path))
    return wrong("has a character in its path that has to be %-encoded");
  const auto authority = parse_authority(rest.substr(0, slash));
  if (!authority) return wrong(authority.error());
  url.host = authority->host;
  url.port = authority->port.value_or(url.port);
  if (authority->user) {
    if (authority->user->empty()) return wrong("has a password without a user");
    if (authority->user->find(':') != std::string::npos)
      return wrong("has a user with a ':', which basic authentication can't carry");
    url.user = *authority->user;
    url.password = authority->password;
  }
  return url;
}

}  // namespace nuropb::http
