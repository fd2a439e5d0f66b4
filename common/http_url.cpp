#include "common/http_url.hpp"

#include <algorithm>

#include "common/authority.hpp"
#include "common/percent.hpp"

namespace nuropb::http {
namespace {

/// RFC 3986, sections 3.3 and 3.4: pchar, '/', and '?' in a query.
bool of_a_path(char c) {
  return is_unreserved(c) || std::string_view("%!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}
bool of_a_query(char c) { return of_a_path(c) || c == '?'; }

tl::unexpected<Error> wrong(std::string_view text, const char* what) {
  // The query may contain a key, and an unescaped password may extend beyond what looks like the host.
  const std::string shown = without_login(text);
  const auto query = shown.find('?');
  return failure(what, query == std::string::npos ? shown : shown.substr(0, query) + "?***",
                 "http://user:password@host:port/path");
}

}  // namespace

std::string Url::authority() const { return host_and_port(host, port); }

std::string Url::request_target(std::string_view own) const {
  if (!own.empty()) return base + std::string(own);
  if (!target.empty()) return target;
  return base.empty() ? "/" : base;
}

std::string Url::redacted() const {
  const auto query = target.find('?');
  std::string path = target.empty() ? base : target.substr(0, query);
  if (path == "/" && query == std::string::npos) path.clear();
  return std::string(tls ? "https://" : "http://") + (user.empty() ? "" : percent_encode(user) + ":***@") +
         authority() + path + (query == std::string::npos ? "" : "?***");
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (take_scheme(rest, "https")) {
    url.tls = true;
    url.port = 443;
  } else if (!take_scheme(rest, "http")) {
    return wrong(text, "begins with neither http:// nor https://");
  }
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = parse_authority(rest.substr(0, end));
  if (!authority) return wrong(text, authority.error());
  const auto mark = rest.find('?');
  const std::string_view path = rest.substr(end, std::max(mark, end) - end);
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : rest.substr(mark);
  if (!std::all_of(path.begin(), path.end(), of_a_path))
    return wrong(text, "has a character in its path that has to be %-encoded");
  if (!std::all_of(query.begin(), query.end(), of_a_query))
    return wrong(text, "has a character in its query that has to be %-encoded");
  if (!percent_decode(path) || !percent_decode(query)) return wrong(text, "has a '%' without two hexadecimal digits");
  url.base = path;
  while (url.base.ends_with('/')) url.base.pop_back();
  url.target = (path.empty() ? "/" : std::string(path)) + std::string(query);
  url.host = authority->host;
  url.port = authority->port.value_or(url.port);
  if (authority->user) {
    if (authority->user->empty()) return wrong(text, "has a password without a user");
    if (authority->user->find(':') != std::string::npos)
      return wrong(text, "has a user with a ':', which basic authentication can't carry");
    url.user = *authority->user;
    url.password = authority->password;
  }
  return url;
}

Result<Url> parse_base_url(std::string_view text) {
  auto url = parse_url(text);
  if (!url) return url;
  if (url->target.find('?') != std::string::npos)
    return wrong(text, "has a query, and paths are to be put behind the address");
  // Such an address may contain a password.
  if (url->base.find('@') != std::string::npos)
    return wrong(text, "has an '@' behind its host: write a '/' in a password as %2F");
  return url;
}

}  // namespace nuropb::http
