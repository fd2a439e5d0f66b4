#include "edge/net/forwarded.hpp"

#include <algorithm>
#include <vector>

#include "common/same_letters.hpp"
#include "common/trimmed.hpp"

namespace nuropb::edge {
namespace {

/// "10.0.0.1", "10.0.0.1:80", "::1", "[::1]", "[::1]:80".
std::optional<IpAddress> node(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return {};
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return {};
    return IpAddress::parse(text.substr(1, end - 1));
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos)
    text = text.substr(0, colon);
  return IpAddress::parse(text);
}

/// Parses one header of RFC 7239 from its left end. A header that cannot be parsed completely is ignored; otherwise a
/// client's quotation mark could determine which part of a proxy's addition is read.
class Elements {
 public:
  explicit Elements(std::string_view header) : left_(header) {}

  /// The value of each element's "for", or "" if it has none; empty if the header is malformed.
  std::optional<std::vector<std::string_view>> read() {
    std::vector<std::string_view> out;
    for (;;) {
      std::string_view found;
      do {
        if (!pair(found)) return {};
      } while (skip(';'));
      out.push_back(found);
      if (left_.empty()) return out;
      if (!skip(',')) return {};
    }
  }

 private:
  /// Parses name=value, or nothing: both lists may have empty elements (RFC 9110, 5.6.1).
  bool pair(std::string_view& found) {
    skip_space();
    if (left_.empty() || left_.front() == ';' || left_.front() == ',') return true;
    const auto name = word();
    skip_space();
    if (name->empty() || !skip('=')) return false;
    skip_space();
    const auto value = left_.starts_with('"') ? quoted() : word();
    if (!value || value->empty()) return false;
    skip_space();
    if (same_letters(*name, "for")) found = *value;
    return left_.empty() || left_.front() == ';' || left_.front() == ',';
  }

  /// Proxies also write addresses without the required quotation marks, so this accepts more than a token.
  std::optional<std::string_view> word() { return taken(std::min(left_.find_first_of(" \t;,=\""), left_.size())); }

  std::optional<std::string_view> quoted() {
    for (std::size_t i = 1; i < left_.size(); ++i) {
      if (left_[i] == '\\') ++i;
      else if (left_[i] == '"') return taken(i + 1).substr(1, i - 1);
    }
    return {};
  }

  std::string_view taken(std::size_t size) {
    const auto out = left_.substr(0, size);
    left_.remove_prefix(size);
    return out;
  }
  bool skip(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }
  void skip_space() { left_.remove_prefix(std::min(left_.find_first_not_of(" \t"), left_.size())); }

  std::string_view left_;
};

std::optional<std::vector<std::string_view>> split(std::string_view header) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto comma = header.find(',');
    out.push_back(trimmed(header.substr(0, comma)));
    if (comma == std::string_view::npos) return out;
    header.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<IpAddress> forwarded_for(ForwardedHeader kind, std::string_view value, const IpAddress& proxy,
                                       const AddressBlocks& trusted) {
  // Bounds the cost of a header that a client has filled up.
  constexpr std::size_t most_hops = 32;
  value = trimmed(value);
  if (kind == ForwardedHeader::none || value.empty() || !trusted.contains(proxy)) return proxy;
  const auto hops = kind == ForwardedHeader::forwarded ? Elements(value).read() : split(value);
  if (!hops) return {};
  IpAddress found = proxy;
  for (std::size_t hop = 0; hop < hops->size() && trusted.contains(found); ++hop) {
    if (hop == most_hops) return {};
    const auto address = node((*hops)[hops->size() - 1 - hop]);
    if (!address) return {};
    found = *address;
  }
  return found;
}

}  // namespace nuropb::edge
