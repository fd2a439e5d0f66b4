#pragma once
// JSON without a tree: one pass over the text validates all of it and hands out slices of what was asked for.
//
// The gateway passes on `params`, `result` and `error` as the bytes that came in (design.md, rule 6). It needs to know
// that a text is JSON, and where a few members begin and end; nothing else. The scanner accepts exactly RFC 8259 over
// valid UTF-8, numbers of any length (unless Limits says otherwise) and any escaped code unit (lone surrogates too, as JSON.stringify writes them),
// and is not recursive. Why not a library: simdjson's tree refuses numbers over 64 bits, its on-demand parser does not
// validate what it skips, nlohmann's and RapidJSON's event parsers do not say where a value ended.
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

/// A piece of the scanned text. Valid as long as that text.
struct Slice {
  Kind kind = Kind::absent;
  std::string_view text;  ///< the value's raw JSON, without surrounding white space
  [[nodiscard]] bool present() const { return kind != Kind::absent; }
};

/// A member that the caller wants. Where a name stands twice the last one wins, as in Python and JavaScript.
struct Field {
  std::string_view name;       ///< the member's name, unescaped
  Slice value{};               ///< filled in by the scan
  std::span<Field> members{};  ///< wanted members of this value, if it is an object (any depth of nesting)
};

struct Limits {
  std::size_t max_depth = 256;  ///< arrays and objects inside one another; CPython's own parser gives up near 1,000
  /// Bytes of a number. What clients write is passed on to services, some of whose parsers give up on long ones: CPython's
  /// at 4,300 digits, Jackson's at 1,000 characters.
  std::size_t max_number = std::numeric_limits<std::size_t>::max();
};

/// What is wrong with a text and at which byte.
struct Problem {
  std::size_t offset = 0;
  const char* what = "";
  /// "Expecting ',' delimiter: byte 17" in the manner of the Python peer's texts.
  [[nodiscard]] std::string text() const;
};

/// Validates the whole of `text` as one JSON value.
std::optional<Problem> validate(std::string_view text, Slice* root = nullptr, Limits limits = {});

/// Validates the whole of `text`, and if it is an object fills in `fields`. Valid JSON that is not an object is no
/// problem here: `root.kind` tells.
std::optional<Problem> scan(std::string_view text, std::span<Field> fields, Slice* root = nullptr, Limits limits = {});

/// The text of a string slice with its escapes resolved. Lone surrogates become U+FFFD.
/// Precondition: the slice came from a successful scan and is a string.
std::string unescape(Slice string);

/// True if the string slice has no escapes, so that `plain` is its text.
bool is_plain(Slice string);
/// The characters between the quotes.
inline std::string_view plain(Slice string) { return string.text.substr(1, string.text.size() - 2); }

/// Appends `text` as a JSON string with quotes; control characters, quotes and backslashes escaped. Bytes that are not
/// UTF-8 are replaced by U+FFFD, so the result is always JSON.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

/// An unsigned whole number of at most 2^53, or nothing.
std::optional<std::uint64_t> as_unsigned(Slice number);
/// The same for durations, however a library writes them (5000.0, 5e3), and as 2^53 whatever is larger: "for ever" is
/// written as the largest number that there is. Nothing for what is below 0 or not whole.
std::optional<std::uint64_t> as_duration(Slice number);

}  // namespace nuropb::json
