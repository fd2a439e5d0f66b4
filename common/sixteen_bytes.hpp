#pragma once
// Operations on sixteen bytes of a text at once, for the scans that every message goes through. SSE2 is in every x86-64
// and NEON in every arm64; on other processors NUROPB_SIXTEEN_BYTES is undefined, and scans go byte by byte.
//
// Pure functions, for any thread.

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#define NUROPB_SIXTEEN_BYTES
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#include <arm_neon.h>
#define NUROPB_SIXTEEN_BYTES
#endif

#if defined(NUROPB_SIXTEEN_BYTES)
namespace nuropb {

#if defined(__SSE2__)
using SixteenBytes = __m128i;

inline SixteenBytes sixteen_bytes(const char* text) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text)); }
/// `front` contains the first eight bytes, the very first in its lowest byte.
inline SixteenBytes sixteen_bytes(std::uint64_t front, std::uint64_t back) {
  return _mm_set_epi64x(static_cast<long long>(back), static_cast<long long>(front));
}

/// A set of the sixteen bytes, one bit per byte.
using Marks = unsigned;
inline std::size_t first_of(Marks marks) { return static_cast<std::size_t>(__builtin_ctz(marks)); }

inline Marks above_ascii(SixteenBytes bytes) { return static_cast<Marks>(_mm_movemask_epi8(bytes)); }

/// Marks the bytes that must be escaped in a JSON string, and DEL and bytes above ASCII.
inline Marks not_plain(SixteenBytes bytes) {
  // Signed comparison finds control characters and bytes above ASCII at once; adding one makes DEL (0x7f) negative,
  // too.
  return static_cast<Marks>(_mm_movemask_epi8(_mm_or_si128(
      _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(1)), _mm_set1_epi8(0x21)),
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))))));
}
#else
using SixteenBytes = uint8x16_t;

inline SixteenBytes sixteen_bytes(const char* text) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(text)); }
/// `front` contains the first eight bytes, the very first in its lowest byte.
inline SixteenBytes sixteen_bytes(std::uint64_t front, std::uint64_t back) {
  return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(front), vcreate_u64(back)));
}

/// A set of the sixteen bytes, four equal bits per byte.
using Marks = std::uint64_t;
inline std::size_t first_of(Marks marks) { return static_cast<std::size_t>(__builtin_ctzll(marks)) / 4; }

/// NEON has no instruction that collects one bit of each byte; a narrowing shift keeps four bits of each, in order.
inline Marks marks_of(uint8x16_t all_or_nothing) {
  return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(all_or_nothing), 4)), 0);
}

inline Marks above_ascii(SixteenBytes bytes) { return marks_of(vcltzq_s8(vreinterpretq_s8_u8(bytes))); }

/// Marks the bytes that must be escaped in a JSON string, and DEL and bytes above ASCII.
inline Marks not_plain(SixteenBytes bytes) {
  // The printable characters are 0x20 to 0x7e.
  const uint8x16_t unprintable = vcgtq_u8(vsubq_u8(bytes, vdupq_n_u8(0x20)), vdupq_n_u8(0x7e - 0x20));
  return marks_of(vorrq_u8(unprintable, vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')), vceqq_u8(bytes, vdupq_n_u8('\\')))));
}
#endif

}  // namespace nuropb
#endif
