#pragma once
// JSON without a tree: one pass validates the whole text and returns slices of the requested members.
//
// The gateway forwards `params`, `result` and `error` as the bytes that it received (design.md, rule 6). It only needs
// to know that a text is valid JSON, and where a few members begin and end. The scanner accepts exactly RFC 8259 over
// valid UTF-8, numbers of any length (unless Limits says otherwise) and any escaped code unit (lone surrogates too, as
// JSON.stringify writes them), and is not recursive. Why not a library: simdjson's tree rejects numbers over 64 bits,
// its on-demand parser does not validate what it skips, and the event parsers of nlohmann and RapidJSON do not report
// where a value ended.
//
// Pure functions, no I/O, no allocation except where a std::string is returned. Safe on any input.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nuropb::json {

enum class Kind : unsigned char { absent, null, boolean, number, string, array, object };

/// A part of the scanned text. Valid as long as that text.
struct Slice {
  Kind kind = Kind::absent;
  std::string_view text;  ///< the value's raw JSON, without surrounding white space
  [[nodiscard]] bool present() const { return kind != Kind::absent; }
};

/// A requested member. If a name occurs twice, the last one wins, as in Python and JavaScript.
struct Field {
  std::string_view name;       ///< the member's name, unescaped
  Slice value{};               ///< filled in by the scan
  std::span<Field> members{};  ///< requested members of this value, if it is an object (any depth)
};

struct Limits {
  std::size_t max_depth = 256;  ///< nesting of arrays and objects; CPython's own parser fails near 1,000
  /// Maximum bytes of a number. Numbers from clients are forwarded to services, some of whose parsers reject long ones:
  /// CPython's above 4,300 digits, Jackson's above 1,000 characters.
  std::size_t max_number = std::numeric_limits<std::size_t>::max();
};

/// What is wrong with a text, and at which byte.
struct Problem {
  std::size_t offset = 0;
  const char* what = "";
  /// "Expecting ',' delimiter: byte 17", in the style of the Python peer's texts.
  [[nodiscard]] std::string text() const;
};

/// Validates the whole of `text` as one JSON value.
std::optional<Problem> validate(std::string_view text, Slice* root = nullptr, Limits limits = {});

/// Validates the whole of `text`, and fills in `fields` if it is an object. Valid JSON that is not an object is not an
/// error here; check `root.kind`.
std::optional<Problem> scan(std::string_view text, std::span<Field> fields, Slice* root = nullptr, Limits limits = {});

/// The text of a string slice with its escapes resolved. Lone surrogates become U+FFFD.
/// Precondition: the slice came from a successful scan and is a string.
std::string unescape(Slice string);

/// Whether the string slice has no escapes, so that plain() is its text.
bool is_plain(Slice string);
/// The characters between the quotes.
inline std::string_view plain(Slice string) { return string.text.substr(1, string.text.size() - 2); }

/// Appends `text` as a quoted JSON string; control characters, quotes and backslashes are escaped. Invalid UTF-8 is
/// replaced by U+FFFD, so the result is always valid JSON.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

/// The value of an unsigned integer of at most 2^53. Empty for any other number.
std::optional<std::uint64_t> as_unsigned(Slice number);
/// The value of a duration in any notation (5000.0, 5e3). Larger values are clamped to 2^53, because "no limit" is
/// often written as the largest available number. Empty if the number is negative or not an integer.
std::optional<std::uint64_t> as_duration(Slice number);

}  // namespace nuropb::json
