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

#if defined(__SSE2__)
/// A bit for each of sixteen bytes that is not plain.
inline unsigned special(__m128i bytes) {
  // Signed comparison catches control characters and bytes above ASCII at once; one higher, 0x7f is a negative number, too.
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(
      _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(1)), _mm_set1_epi8(0x21)),
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))))));
}
#endif

/// How many bytes at the front are printable ASCII, and neither quote nor backslash.
inline std::size_t plain_ascii(std::string_view text) {
  std::size_t at = 0;
#if defined(__SSE2__)
  const auto sixteen = [text](std::size_t from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
  };
  for (; text.size() - at >= 16; at += 16) {
    if (const unsigned found = special(sixteen(at)); found != 0)
      return at + static_cast<std::size_t>(__builtin_ctz(found));
  }
  if (at == text.size()) return at;
  // What is left is looked at together with bytes before it, which are plain.
  if (at > 0) {
    const unsigned found = special(sixteen(text.size() - 16));
    return found == 0 ? text.size() : text.size() - 16 + static_cast<std::size_t>(__builtin_ctz(found));
  }
  // A short text: its first bytes and its last, some of them twice.
  if (text.size() >= 4) {
    const auto word = [text](auto value, std::size_t from) {
      std::memcpy(&value, text.data() + from, sizeof value);
      return static_cast<long long>(value);
    };
    const std::size_t width = text.size() >= 8 ? 8 : 4;
    const long long front =
        width == 8 ? word(std::int64_t{}, 0) : word(std::uint32_t{}, 0) | word(std::uint32_t{}, text.size() - 4) << 32;
    const long long back = width == 8 ? word(std::int64_t{}, text.size() - 8) : front;
    const unsigned found = special(_mm_set_epi64x(back, front));
    if (found == 0) return text.size();
    const auto first = static_cast<std::size_t>(__builtin_ctz(found));
    return first < width ? first : text.size() - width + (first - width);
  }
#endif
  const auto plain = [](char c) {
    return static_cast<signed char>(c) >= 0x20 && c != 0x7f && c != '"' && c != '\\';
  };  // above ASCII it is negative
  while (at < text.size() && plain(text[at])) ++at;
  return at;
}

}  // namespace nuropb::json
