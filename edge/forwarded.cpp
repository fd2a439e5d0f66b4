#include "edge/forwarded.hpp"

#include "common/trimmed.hpp"

namespace nuropb::edge {
namespace {

bool same_word(std::string_view a, std::string_view lower) {
  if (a.size() != lower.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i]) != lower[i]) return false;
  }
  return true;
}

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

/// The last separator that is in no quoted string; quotes pair up from the left, so the whole text is gone through.
std::size_t last_of(std::string_view text, char separator) {
  std::size_t found = std::string_view::npos;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') ++i;
    else if (text[i] == '"') quoted = !quoted;
    else if (!quoted && text[i] == separator) found = i;
  }
  return found;
}

/// "for" of one element of Forwarded.
std::string_view for_of(std::string_view element) {
  while (!element.empty()) {
    const auto split = last_of(element, ';');
    const auto pair = trimmed(split == std::string_view::npos ? element : element.substr(split + 1));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && same_word(trimmed(pair.substr(0, equals)), "for")) {
      auto value = trimmed(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
      return value;
    }
    if (split == std::string_view::npos) break;
    element = element.substr(0, split);
  }
  return {};
}

}  // namespace

std::optional<IpAddress> forwarded_for(ForwardedHeader kind, std::string_view value, const IpAddress& proxy,
                                       const AddressBlocks& trusted) {
  constexpr int most_hops = 32;  // a header that a consumer filled up costs no more than this
  IpAddress found = proxy;
  value = kind == ForwardedHeader::none ? std::string_view() : trimmed(value);
  for (int hop = 0; !value.empty() && trusted.contains(found); ++hop) {
    if (hop == most_hops) return {};
    const auto comma = kind == ForwardedHeader::forwarded ? last_of(value, ',') : value.rfind(',');
    const auto element = trimmed(comma == std::string_view::npos ? value : value.substr(comma + 1));
    const auto address = node(kind == ForwardedHeader::forwarded ? for_of(element) : element);
    if (!address) return {};
    found = *address;
    value = comma == std::string_view::npos ? std::string_view() : trimmed(value.substr(0, comma));
  }
  return found;
}

}  // namespace nuropb::edge
