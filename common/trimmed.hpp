#pragma once
// Trims text, for lines of HTTP and of small files. Pure.

#include <string_view>

namespace nuropb {

/// `blank` is the set of characters to trim; by default HTTP's optional white space (RFC 9110, section 5.6.3).
inline std::string_view trimmed(std::string_view text, std::string_view blank = " \t") {
  const auto begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

}  // namespace nuropb
