#include "common/base64.hpp"

#include <array>
#include <cstdint>

namespace nuropb::base64 {
namespace {

constexpr std::string_view digits_of(Alphabet alphabet) {
  return alphabet == Alphabet::standard ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                                        : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

constexpr std::uint8_t none = 0xff;

constexpr std::array<std::uint8_t, 256> values_of(Alphabet alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(none);
  for (std::uint8_t i = 0; i < 64; ++i) values[static_cast<unsigned char>(digits_of(alphabet)[i])] = i;
  return values;
}

constexpr std::array<std::uint8_t, 256> standard_values = values_of(Alphabet::standard),
                                        url_values = values_of(Alphabet::url);

}  // namespace

std::string encode(std::string_view bytes, Alphabet alphabet) {
  const std::string_view digits = digits_of(alphabet);
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    *to++ = digits[group >> 6 & 63];
    *to++ = digits[group & 63];
  }
  if (const std::size_t left = bytes.size() - i; left > 0) {
    const std::uint32_t group = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0);
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    if (left == 2) *to = digits[group >> 6 & 63];
  }
  return out;
}

std::optional<std::string> decode(std::string_view text, Alphabet alphabet) {
  if (text.size() % 4 != 0) return {};
  if (text.empty()) return std::string();
  const auto& values = alphabet == Alphabet::standard ? standard_values : url_values;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  const std::size_t digits = text.size() - padding;
  std::string out(text.size() / 4 * 3 - padding, '\0');
  char* to = out.data();
  std::uint32_t group = 0;
  // An invalid digit has bits above the lowest six, so one check of all digits at the end finds it.
  std::uint8_t seen = 0;
  std::size_t i = 0;
  const auto next = [&] {
    const std::uint8_t value = values[static_cast<unsigned char>(text[i++])];
    seen |= value;
    group = group << 6 | (value & 63U);
  };
  while (i + 4 <= digits) {
    next(), next(), next(), next();
    *to++ = static_cast<char>(group >> 16);
    *to++ = static_cast<char>(group >> 8);
    *to++ = static_cast<char>(group);
  }
  if (padding == 1) {
    next(), next(), next();
    if (group & 3) return {};
    *to++ = static_cast<char>(group >> 10);
    *to = static_cast<char>(group >> 2);
  } else if (padding == 2) {
    next(), next();
    if (group & 15) return {};
    *to = static_cast<char>(group >> 4);
  }
  if (seen & 0xc0) return {};
  return out;
}

}  // namespace nuropb::base64
