#include "common/amqp_url.hpp"

#include <optional>

#include "common/authority.hpp"
#include "common/percent.hpp"

namespace nuropb::amqp {

std::string Url::redacted() const {
  return std::string(tls ? "amqps://" : "amqp://") + percent_encode(user) + ":***@" + host_and_port(host, port) + "/" +
         (vhost == "/" ? "" : percent_encode(vhost));
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](const char* what) {
    return failure(what, without_login(text), "amqp://user:password@host:5672/vhost");
  };
  Url url;
  std::string_view rest = text;
  if (take_scheme(rest, "amqps")) {
    url.tls = true;
    url.port = 5671;
  } else if (!take_scheme(rest, "amqp")) {
    return wrong("begins with neither amqp:// nor amqps://");
  }
  if (const auto query = rest.find_first_of("?#"); query != std::string_view::npos)
    return wrong("has a query or a fragment: use the settings of the config instead");

  const auto slash = rest.find('/'), at = rest.rfind('@');
  if (slash != std::string_view::npos && at != std::string_view::npos && slash < at)
    return wrong(
        "has a '/' in its user or password, or an '@' in its vhost: write %2F for '/' and %40 for '@', or set "
        "amqp.password_file");
  if (at != std::string_view::npos && rest.find('@') != at)
    return wrong("has more than one '@': write %40 for an '@' in the user or password, or set amqp.password_file");
  if (slash != std::string_view::npos) {
    const std::string_view path = rest.substr(slash + 1);
    const auto vhost = percent_decode(path);
    if (!vhost || vhost->find('\0') != std::string::npos) return wrong("has a vhost with a bad %-escape");
    if (path.find('/') != std::string_view::npos) return wrong("has a '/' in its vhost: write %2F");
    if (!vhost->empty()) url.vhost = *vhost;
  }
  const auto authority = parse_authority(rest.substr(0, slash));
  if (!authority) return wrong(authority.error());
  url.host = authority->host;
  url.port = authority->port.value_or(url.port);
  if (authority->user) {
    url.user = *authority->user;
    url.password = authority->password;
  }
  return url;
}

}  // namespace nuropb::amqp
