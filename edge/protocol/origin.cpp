#include "edge/protocol/origin.hpp"

#include <algorithm>

#include "common/same_letters.hpp"

namespace nuropb::edge {
namespace {

/// "host" of "scheme://host:port"; empty for "null" and other opaque origins.
std::string_view origin_host(std::string_view origin) {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view rest = origin.substr(scheme + 3);
  if (rest.find_first_of("/?#@") != std::string_view::npos) return {};  // browsers send none of these
  if (rest.starts_with('[')) return rest.substr(0, rest.find(']') + 1);
  return rest.substr(0, rest.rfind(':'));
}

bool below_or_same(std::string_view host, std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  if (!same_letters(host.substr(host.size() - domain.size()), domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

}  // namespace

bool origin_allowed(std::string_view origin, const std::vector<std::string>& allowed) {
  if (origin.empty()) return true;
  const std::string_view host = origin_host(origin);
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
    if (entry == "*") return true;
    if (entry.find("://") != std::string::npos) return same_letters(origin, entry);
    return !host.empty() && below_or_same(host, entry);
  });
}

bool is_local(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

std::string host_in_uri(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

bool is_origin_of_page(std::string_view origin, const PageAddress& page) {
  if (origin.empty()) return false;
  const std::string port = ":" + std::to_string(page.port);
  const auto is = [&](const std::string& host) { return origin == "http://" + host_in_uri(host) + port; };
  const bool anywhere = page.address == "0.0.0.0" || page.address == "::";
  if ((is_local(page.address) || anywhere) && (is("localhost") || is("127.0.0.1") || is("::1"))) return true;
  if (!anywhere && is(page.address)) return true;
  return std::any_of(page.hosts.begin(), page.hosts.end(),
                     [&](const std::string& host) { return is(host) || origin == "https://" + host; });
}

}  // namespace nuropb::edge
