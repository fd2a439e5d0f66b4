#pragma once
// Base64url without padding, as in JOSE (RFC 7515 section 2). Strict, like common/base64.hpp.

#include <algorithm>

#include "common/base64.hpp"

namespace nuropb::meshd::unpadded {

inline std::string encode(std::string_view bytes) {
  std::string out = base64::encode(bytes, base64::Alphabet::url);
  while (out.ends_with('=')) out.pop_back();
  return out;
}
inline std::optional<std::string> decode(std::string_view text) {
  if (text.find('=') != std::string_view::npos) return {};
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  return base64::decode(padded, base64::Alphabet::url);
}

}  // namespace nuropb::meshd::unpadded
