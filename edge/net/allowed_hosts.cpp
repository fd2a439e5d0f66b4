#include "edge/net/allowed_hosts.hpp"

#include <algorithm>

#include "common/same_letters.hpp"
#include "common/trimmed.hpp"

namespace nuropb::edge {

std::string host_of(std::string_view header) {
  header = trimmed(header);
  std::string_view host = header.substr(0, header.rfind(':'));
  if (header.starts_with('['))
    host = header.substr(0, header.find(']') == std::string_view::npos ? 0 : header.find(']') + 1);
  const auto rest = header.substr(host.size());
  if (!rest.empty() && (rest.front() != ':' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return {};
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) return {};
  std::string out(host);
  if (!out.empty() && out.back() == '.') out.pop_back();
  std::transform(out.begin(), out.end(), out.begin(), lower_letter);
  return out;
}

bool host_allowed(std::string_view header, const std::vector<std::string>& allowed) {
  if (allowed.empty()) return true;
  const std::string host = host_of(header);
  if (host.empty()) return false;
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view entry) {
    if (!entry.starts_with('.')) return same_letters(host, entry);
    entry.remove_prefix(1);
    if (entry.empty() || host.size() < entry.size() ||
        !same_letters(std::string_view(host).substr(host.size() - entry.size()), entry))
      return false;
    return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
  });
}

}  // namespace nuropb::edge
