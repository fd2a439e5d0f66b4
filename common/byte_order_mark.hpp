#pragma once
// The byte order mark that editors and libraries of Windows write before a text in UTF-8. It says nothing in UTF-8 and is
// no part of the text (RFC 3629, section 6): every reader of a file or of a stream of lines leaves it out. Pure.

#include <string_view>

namespace nuropb {

inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// The text behind its byte order mark, if it begins with one. Only the first is left out: a second one is a character.
inline std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return text;
}

/// Whether the text is in UTF-16, as some shells and editors of Windows write it: a mark, and a first character of ASCII.
inline bool looks_like_utf16(std::string_view text) {
  if (text.size() < 4 || text.size() % 2 != 0) return false;
  return (text.starts_with("\xff\xfe") && text[2] != '\0' && text[3] == '\0') ||
         (text.starts_with("\xfe\xff") && text[2] == '\0' && text[3] != '\0');
}

}  // namespace nuropb
