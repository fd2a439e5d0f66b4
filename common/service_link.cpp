#include "common/service_link.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "common/authority.hpp"
#include "common/same_letters.hpp"

namespace nuropb {
namespace {

constexpr std::array<std::string_view, 3> protocols{"tcp", "udp", "sctp"};

/// "8880_tcp", "8880_tcp_addr": the part after "_port_".
bool is_port_of_a_link(std::string_view rest) {
  const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits == 0 || digits == rest.size() || rest[digits] != '_') return false;
  const std::string_view protocol = rest.substr(digits + 1, rest.find('_', digits + 1) - digits - 1);
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

}  // namespace

bool is_service_link_value(std::string_view value) {
  return std::any_of(protocols.begin(), protocols.end(), [&](std::string_view protocol) {
    std::string_view rest = value;
    return take_scheme(rest, protocol);
  });
}

bool is_service_link(std::string_view name, std::string_view value) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), lower_letter);
  if (lower.ends_with("_service_host") || lower.ends_with("_service_port") ||
      lower.find("_service_port_") != std::string::npos)
    return true;
  constexpr std::string_view port = "_port_";
  const auto at = lower.rfind(port);
  if (at != std::string::npos && is_port_of_a_link(std::string_view(lower).substr(at + port.size()))) return true;
  return lower.ends_with("_port") && is_service_link_value(value);
}

}  // namespace nuropb
