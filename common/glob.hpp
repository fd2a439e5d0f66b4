#pragma once
// Patterns in which a `*` stands for any text, also for none; everything else stands for itself.

#include <cstddef>
#include <string_view>

namespace nuropb {

/// Whether the pattern stands for all of the text. Backs up to the last star only, so it is linear in text times pattern.
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
