#pragma once
// The part of a text that is the same inside a JSON string: most of nearly every string, so it goes sixteen bytes at a time.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace nuropb::json {

/// How many bytes at the front are ASCII, and neither quote, backslash nor below the space.
inline std::size_t plain_ascii(std::string_view text) {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; text.size() - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    // Signed comparison with 0x20 catches control characters and bytes above ASCII at once.
    const __m128i special = _mm_or_si128(
        _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    const int mask = _mm_movemask_epi8(special);
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  // Short strings, and what is left of long ones: eight bytes at a time, if none of them is special.
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, 8);
    constexpr std::uint64_t ones = 0x0101010101010101, highest = 0x80 * ones;
    const auto zero = [](std::uint64_t x) {
      return (x - ones) & ~x;
    };  // highest bits: those of bytes that are 0, at least
    if (((bytes - 0x20 * ones) | bytes | zero(bytes ^ '"' * ones) | zero(bytes ^ '\\' * ones)) & highest) break;
  }
  const auto plain = [](char c) {
    return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
  };  // above ASCII it is negative
  while (at < text.size() && plain(text[at])) ++at;
  return at;
}

}  // namespace nuropb::json
