// Strings and numbers of scanned texts, and JSON strings from arbitrary bytes.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "common/json/plain_ascii.hpp"
#include "common/json/scan.hpp"

namespace nuropb::json {
namespace {

unsigned hex4(const char* p) {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return value;
}

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

constexpr unsigned replacement = 0xfffd;
bool is_high(unsigned unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low(unsigned unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

/// Length of the UTF-8 character at `at`, or 0 if it is invalid.
std::size_t utf8_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned c = byte(at);
  const std::size_t length = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xc2 && c <= 0xdf ? 2 : 0;
  if (length == 0) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
      (c == 0xf4 && second > 0x8f))
    return 0;
  return length;
}

constexpr char digits[] = "0123456789abcdef";

void append_escaped(std::string& out, unsigned code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(digits[code >> shift & 15]);
}

/// C1 control characters and Unicode line separators. Some terminals execute the former (U+009B is their ESC [), and
/// some line readers end a line at the latter. 0 for any other character.
unsigned control_above_ascii(std::string_view character) {
  if (character.size() == 2 && character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0)
    return static_cast<unsigned char>(character[1]);
  if (character == "\xe2\x80\xa8") return 0x2028;
  if (character == "\xe2\x80\xa9") return 0x2029;
  return 0;
}

}  // namespace

std::string Problem::text() const { return std::string(what) + ": byte " + std::to_string(offset); }

bool is_plain(Slice string) { return std::memchr(string.text.data(), '\\', string.text.size()) == nullptr; }

std::string unescape(Slice string) {
  const std::string_view in = plain(string);
  if (is_plain(string)) return std::string(in);
  std::string out;
  out.reserve(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::size_t escape = std::min(in.find('\\', i), in.size());
    out.append(in, i, escape - i);
    i = escape;
    if (i == in.size()) break;
    switch (const char c = in[++i]; c) {
      case 'b': out.push_back('\b'); break;
      case 'f': out.push_back('\f'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 't': out.push_back('\t'); break;
      case 'u': {
        unsigned unit = hex4(in.data() + i + 1);
        i += 4;
        if (is_high(unit) && i + 6 < in.size() && in[i + 1] == '\\' && in[i + 2] == 'u') {
          const unsigned low = hex4(in.data() + i + 3);
          if (is_low(low)) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          }
        }
        append_utf8(out, is_high(unit) || is_low(unit) ? replacement : unit);
        break;
      }
      default: out.push_back(c);
    }
  }
  return out;
}

namespace {

/// Appends `text`, whose first `plain` bytes need no escape.
void append_escaped_where_needed(std::string& out, std::string_view text, std::size_t plain) {
  for (std::size_t i = 0;; plain = plain_ascii(text.substr(i))) {
    out.append(text, i, plain);
    i += plain;
    if (i == text.size()) return;
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x80) {
      const std::size_t length = utf8_at(text, i);
      if (length == 0) append_utf8(out, replacement);
      else if (const unsigned control = control_above_ascii(text.substr(i, length)); control != 0)
        append_escaped(out, control);
      else out.append(text, i, length);
      i += length == 0 ? 1 : length;
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: append_escaped(out, c);
    }
    ++i;
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  const std::size_t plain = plain_ascii(text), before = out.size();
  if (plain == text.size()) {
    out.resize(before + plain + 2, '"');  // fill with quotes, then copy the text between the outermost two
    text.copy(out.data() + before + 1, plain);
    return;
  }
  out.push_back('"');
  append_escaped_where_needed(out, text, plain);
  out.push_back('"');
}

std::string quoted(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_quoted(out, text);
  return out;
}

std::optional<std::uint64_t> as_unsigned(Slice number) {
  if (number.kind != Kind::number || number.text.size() > 16) return {};
  std::uint64_t value = 0;
  for (const char c : number.text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > (1ULL << 53)) return {};
  return value;
}

std::optional<std::uint64_t> as_duration(Slice number) {
  constexpr std::uint64_t most = 1ULL << 53;
  if (const auto plain = as_unsigned(number)) return plain;
  if (number.kind != Kind::number || number.text.starts_with('-')) return {};
  double value = 0;
  const char* const end = number.text.data() + number.text.size();
  const auto read = std::from_chars(number.text.data(), end, value);
  if (read.ec == std::errc::result_out_of_range)  // a negative exponent means underflow, otherwise overflow
    return number.text.find("e-") == std::string_view::npos && number.text.find("E-") == std::string_view::npos
               ? std::optional(most)
               : std::nullopt;
  if (read.ec != std::errc() || read.ptr != end || std::floor(value) != value) return {};
  return value >= static_cast<double>(most) ? most : static_cast<std::uint64_t>(value);
}

}  // namespace nuropb::json
