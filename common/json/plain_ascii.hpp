#pragma once
// Finds the characters that need no escape in a JSON string. They make up most of nearly every string, so it compares
// sixteen bytes at a time.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/sixteen_bytes.hpp"

namespace nuropb::json {

/// Length of the prefix that is printable ASCII without quotes and backslashes.
inline std::size_t plain_ascii(std::string_view text) {
  std::size_t at = 0;
#if defined(NUROPB_SIXTEEN_BYTES)
  for (; text.size() - at >= 16; at += 16) {
    if (const Marks found = not_plain(sixteen_bytes(text.data() + at)); found != 0) return at + first_of(found);
  }
  if (at == text.size()) return at;
  // The tail is compared together with bytes before it, which are known to be plain.
  if (at > 0) {
    const std::size_t last = text.size() - 16;
    const Marks found = not_plain(sixteen_bytes(text.data() + last));
    return found == 0 ? text.size() : last + first_of(found);
  }
  // A short text: its first and its last bytes, which may overlap.
  if (text.size() >= 4) {
    const auto word = [text](auto value, std::size_t from) {
      std::memcpy(&value, text.data() + from, sizeof value);
      return std::uint64_t{value};
    };
    const std::size_t width = text.size() >= 8 ? 8 : 4;
    const std::uint64_t front =
        width == 8 ? word(std::uint64_t{}, 0) : word(std::uint32_t{}, 0) | word(std::uint32_t{}, text.size() - 4) << 32;
    const std::uint64_t back = width == 8 ? word(std::uint64_t{}, text.size() - 8) : front;
    const Marks found = not_plain(sixteen_bytes(front, back));
    if (found == 0) return text.size();
    const std::size_t first = first_of(found);
    return first < width ? first : text.size() - width + (first - width);
  }
#endif
  const auto plain = [](char c) {
    return static_cast<signed char>(c) >= 0x20 && c != 0x7f && c != '"' && c != '\\';
  };  // bytes above ASCII are negative
  while (at < text.size() && plain(text[at])) ++at;
  return at;
}

}  // namespace nuropb::json
