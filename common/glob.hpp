#pragma once
// Patterns in which `*` matches any text, the empty one included, and every other character matches itself.

#include <cstddef>
#include <string_view>

namespace nuropb {

/// Whether the pattern matches the whole text. Backtracks to the last star only, so the cost is at most text times
/// pattern.
inline bool globs(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace nuropb
