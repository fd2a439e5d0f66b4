#pragma once
// Texts of ASCII that are compared without regard to case, as protocols have names: of headers, schemes and protocols.
// The locale has no say. Pure.

#include <algorithm>
#include <string_view>

namespace nuropb {

inline char lower_letter(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline bool same_letters(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower_letter(x) == lower_letter(y); });
}

}  // namespace nuropb
