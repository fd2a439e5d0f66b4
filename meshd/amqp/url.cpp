#include "meshd/amqp/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/percent.hpp"

namespace nuropb::amqp {
namespace {

/// For rabbitmq-c, which takes C strings.
std::optional<std::string> decode_text(std::string_view in) {
  auto out = percent_decode(in);
  if (out && out->find('\0') != std::string::npos) return {};
  return out;
}

/// The text with anything between "://" and the last '@' of the authority replaced, whatever else is wrong with it.
std::string safe(std::string_view text) {
  const auto scheme = text.find("://");
  const auto from = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto at = text.substr(from, text.find('/', from) - from).rfind('@');
  if (at == std::string_view::npos) {
    // A password with a '/' in it hides the '@' behind it.
    const auto late = text.rfind('@');
    if (late == std::string_view::npos || late < from) return std::string(text);
    return std::string(text.substr(0, from)) + "***" + std::string(text.substr(late));
  }
  return std::string(text.substr(0, from)) + "***" + std::string(text.substr(from + at));
}

}  // namespace

std::string Url::redacted() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return std::string(tls ? "amqps://" : "amqp://") + percent_encode(user) + ":***@" + (ipv6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port) + "/" + (vhost == "/" ? "" : percent_encode(vhost));
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](const char* what) { return failure(what, safe(text), "amqp://user:password@host:5672/vhost"); };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("amqps://")) {
    url.tls = true;
    url.port = 5671;
    rest.remove_prefix(8);
  } else if (rest.starts_with("amqp://")) {
    rest.remove_prefix(7);
  } else {
    return wrong("begins with neither amqp:// nor amqps://");
  }
  if (const auto query = rest.find_first_of("?#"); query != std::string_view::npos) return wrong("has a query or a fragment: settings stand in the config");

  std::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.size() < rest.size()) {
    const auto vhost = decode_text(rest.substr(authority.size() + 1));
    if (!vhost) return wrong("has a vhost with a bad %-escape");
    if (vhost->find('/') != std::string::npos && rest.substr(authority.size() + 1).find('/') != std::string_view::npos) return wrong("has a '/' in its vhost: write %2F");
    if (!vhost->empty()) url.vhost = *vhost;
  }
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = authority.substr(0, at);
    const auto colon = login.find(':');
    const auto user = decode_text(login.substr(0, colon));
    const auto password = colon == std::string_view::npos ? std::optional<std::string>("") : decode_text(login.substr(colon + 1));
    if (!user || !password) return wrong("has a user or password with a bad %-escape");
    url.user = *user;
    url.password = *password;
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return wrong("has a '[' without its ']'");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (!authority.empty() && authority[0] != ':') return wrong("has text behind ']'");
    if (!authority.empty()) port = authority.substr(1);
    if (!authority.empty() && port.empty()) return wrong("has a ':' without a port");
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = authority.substr(colon + 1);
      if (port.empty()) return wrong("has a ':' without a port");
    }
  }
  if (url.host.empty()) return wrong("has no host");
  if (!std::all_of(url.host.begin(), url.host.end(), is_of_a_host)) return wrong("has a character in its host that no host name has");
  if (!port.empty()) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535) return wrong("has a port that is not 1 to 65535");
    url.port = static_cast<std::uint16_t>(value);
  }
  return url;
}

}  // namespace nuropb::amqp
