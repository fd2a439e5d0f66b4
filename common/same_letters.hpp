#pragma once
// Case-insensitive comparison of ASCII text, for names of headers, schemes and protocols. Independent of the locale.
// Pure.

#include <algorithm>
#include <string_view>

namespace nuropb {

inline char lower_letter(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline bool same_letters(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower_letter(x) == lower_letter(y); });
}

}  // namespace nuropb
