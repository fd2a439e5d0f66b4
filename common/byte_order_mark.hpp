#pragma once
// The byte order mark that Windows editors and libraries write at the start of UTF-8 text. It carries no information
// and is not part of the text (RFC 3629, section 6), so every reader of a file or of a line stream skips it. Pure.

#include <string_view>

namespace nuropb {

inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// The text without a leading byte order mark. Only one is removed: a second one is an ordinary character.
inline std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text;
}

/// Whether the text is in UTF-16, as some Windows shells and editors write it: a byte order mark followed by an ASCII
/// character.
inline bool looks_like_utf16(std::string_view text) {
  if (text.size() < 4 || text.size() % 2 != 0) return false;
  return (text.starts_with("\xff\xfe") && text[2] != '\0' && text[3] == '\0') ||
         (text.starts_with("\xfe\xff") && text[2] == '\0' && text[3] != '\0');
}

}  // namespace nuropb
