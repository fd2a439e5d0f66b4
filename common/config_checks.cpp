#include "common/config_checks.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "common/amqp_url.hpp"
#include "common/authority.hpp"
#include "common/http_url.hpp"
#include "common/ip_address.hpp"
#include "common/queue_rules.hpp"

namespace nuropb::config_checks {
namespace {

template <std::size_t N>
std::optional<std::string> known_words(const ConfigValue& v, const std::array<std::string_view, N>& words) {
  std::vector<std::string> seen;
  for (const std::string& word : std::get<std::vector<std::string>>(v)) {
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      std::string all;
      for (const auto known : words) all += (all.empty() ? "" : ", ") + std::string(known);
      return "has an entry that is not one of " + all;
    }
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) return "names '" + word + "' twice";
    seen.push_back(word);
  }
  if (seen.empty()) return "is empty";
  return {};
}

}  // namespace

std::optional<std::string> power_of_two(const ConfigValue& v) {
  const auto n = std::get<std::int64_t>(v);
  if ((n & (n - 1)) != 0) return "is not a power of two";
  return {};
}
std::optional<std::string> not_empty(const ConfigValue& v) {
  if (std::get<std::string>(v).empty()) return "is empty";
  return {};
}
std::optional<std::string> service_name(const ConfigValue& v) {
  const auto& name = std::get<std::string>(v);
  if (name.empty()) return "is empty";
  if (name.size() > 200) return "is longer than 200 bytes: it becomes part of queue names";
  return {};
}
std::optional<std::string> instance_id(const ConfigValue& v) {
  if (std::get<std::string>(v).size() > 40) return "is longer than 40 bytes: it becomes part of queue names";
  return {};
}
std::optional<std::string> exchange_name(const ConfigValue& v) {
  const auto& name = std::get<std::string>(v);
  if (name.empty()) return "is empty";
  if (name.size() > 255) return "is longer than the 255 bytes of an AMQP name";
  return {};
}
std::optional<std::string> absolute_path(const ConfigValue& v) {
  if (!std::get<std::string>(v).starts_with('/')) return "does not begin with '/'";
  return {};
}
std::optional<std::string> absolute_path_or_empty(const ConfigValue& v) {
  return std::get<std::string>(v).empty() ? std::optional<std::string>() : absolute_path(v);
}
std::optional<std::string> broker_urls(const ConfigValue& v) {
  const auto& urls = std::get<std::vector<std::string>>(v);
  if (urls.empty()) return "is empty: name at least one broker";
  for (const auto& url : urls) {
    if (const auto parsed = amqp::parse_url(url); !parsed) return "has an entry that " + parsed.error().what;
  }
  return {};
}

std::optional<std::string> base_url_or_empty(const ConfigValue& v) {
  const auto& url = std::get<std::string>(v);
  if (url.empty()) return {};
  const auto parsed = http::parse_base_url(url);
  return parsed ? std::optional<std::string>() : parsed.error().what;
}
std::optional<std::string> etcd_urls(const ConfigValue& v) {
  for (const auto& url : std::get<std::vector<std::string>>(v)) {
    const auto parsed = http::parse_base_url(url);
    if (!parsed) return "has an entry that " + parsed.error().what;
    if (!parsed->user.empty()) return "has an entry with a user in it: use etcd.user and etcd.password_file";
  }
  return {};
}
std::optional<std::string> etcd_prefix(const ConfigValue& v) {
  const auto& prefix = std::get<std::string>(v);
  if (!prefix.starts_with('/') || prefix.ends_with('/')) return "does not begin with '/', or ends with one";
  return {};
}
std::optional<std::string> queue_rules(const ConfigValue& v) {
  for (const auto& text : std::get<std::vector<std::string>>(v)) {
    if (const auto rule = parse_queue_rule(text); !rule)
      return "has the entry '" + text.substr(0, 300) + "', which " + rule.error().what;
  }
  return {};
}

std::optional<std::string> authorizer_names(const ConfigValue& v) {
  static constexpr std::array<std::string_view, 6> names{
      "tokens", "jwt", "introspection", "mesh", "session_cookie", "client_certificate"};
  return known_words(v, names);
}
std::optional<std::string> jwt_algorithms(const ConfigValue& v) {
  static constexpr std::array<std::string_view, 13> names{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                                                          "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"};
  return known_words(v, names);
}
std::optional<std::string> plain_http_url(const ConfigValue& v) {
  const auto& url = std::get<std::string>(v);
  if (url.empty()) return {};
  const auto parsed = http::parse_url(url);
  if (!parsed) return parsed.error().what;
  if (!parsed->user.empty()) return "has a user in it";
  return {};
}

std::optional<std::string> address_blocks(const ConfigValue& v) {
  AddressBlocks blocks;
  for (const auto& block : std::get<std::vector<std::string>>(v)) {
    if (!blocks.add(block)) return "has an entry that is neither an address nor a CIDR block: '" + block + "'";
  }
  return {};
}
/// Entries that no Origin header can match (edge/protocol/origin.hpp says what matches).
std::optional<std::string> origins(const ConfigValue& v) {
  for (const auto& entry : std::get<std::vector<std::string>>(v)) {
    const auto wrong = [&](const std::string& why) { return "has the entry '" + entry + "', which " + why; };
    if (entry == "*") continue;
    const auto scheme = entry.find("://");
    const std::string_view rest = std::string_view(entry).substr(scheme == std::string::npos ? 0 : scheme + 3);
    if (rest.find('*') != std::string_view::npos) {
      const auto domain = rest.substr(std::min(rest.size(), rest.find_last_of('*') + 1));
      const std::string write = domain.starts_with('.') ? std::string(domain.substr(1)) : "example.com";
      return wrong("matches no page: write '" + write + "' for a domain with all below it, or '*' for every page");
    }
    if (rest.empty() || rest == ".") return wrong("is no host");
    if (const auto slash = rest.find_first_of("/?#"); slash != std::string_view::npos)
      return wrong("matches no page: an origin has no path, so write '" +
                   entry.substr(0, entry.size() - rest.size() + slash) + "'");
    if (rest.find_first_of("@ \t") != std::string_view::npos)
      return wrong("matches no page: an origin is scheme://host:port");
    const auto colon = rest.rfind(':');
    const bool port = colon != std::string_view::npos && !rest.ends_with(']');
    if (port && scheme == std::string::npos)
      return wrong("matches no page: write the scheme before a port, as in 'https://" + entry + "'");
    const std::string_view number = port ? rest.substr(colon + 1) : std::string_view();
    if ((entry.starts_with("https://") && number == "443") || (entry.starts_with("http://") && number == "80"))
      return wrong("matches no page: browsers leave the scheme's own port out, so write '" +
                   entry.substr(0, entry.size() - number.size() - 1) + "'");
  }
  return {};
}
std::optional<std::string> ip_address(const ConfigValue& v) {
  const auto& text = std::get<std::string>(v);
  // A zone belongs to the host, not to the address: fe80::1%eth0.
  if (IpAddress::parse(text.substr(0, text.find('%')))) return {};
  return "is '" + text.substr(0, 100) +
         "' instead of an IP address: 127.0.0.1 or ::1 for this host alone, 0.0.0.0 or :: for all interfaces";
}
std::optional<std::string> host_names(const ConfigValue& v) {
  for (const auto& host : std::get<std::vector<std::string>>(v)) {
    if (host.empty() || host == "." || host.find('/') != std::string::npos || host.find('*') != std::string::npos) {
      return "has an entry that is not a host name: '" + host + "'";
    }
    const auto colon = host.rfind(':');
    if (colon != std::string::npos && !host.ends_with(']')) return "has an entry with a port: '" + host + "'";
  }
  return {};
}
std::optional<std::string> ip_and_port_or_empty(const ConfigValue& v) {
  const auto& text = std::get<std::string>(v);
  if (text.empty()) return {};
  const auto at = parse_authority(text);
  if (!at || at->user || !at->port || !IpAddress::parse(at->host))
    return "is not an IP address and a port: \"127.0.0.1:9464\"";
  return {};
}
std::optional<std::string> ratio(const ConfigValue& v) {
  const auto& text = std::get<std::string>(v);
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1))
    return "is not a number from 0 to 1, as text";
  return {};
}

}  // namespace nuropb::config_checks
