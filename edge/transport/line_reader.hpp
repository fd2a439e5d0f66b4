#pragma once
// Splits a stream into the lines of the protocol "one JSON message per line" (docs/reference/protocol.md). Pure; its
// memory is bounded by the limit, however the bytes are split.
//
// A line ends with LF or CR LF. Lines of spaces, tabs and CRs only are ignored. The end of the stream ends the last
// line, too. A byte order mark at the start of the stream is skipped: .NET's writers begin each stream with one.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nuropb::edge {

class LineReader {
 public:
  enum class Problem : std::uint8_t { none, too_long, not_utf8 };
  /// Called with a line without its end, valid during the call. It may change the limit. Returns false to stop.
  using Take = std::function<bool(std::string_view line)>;

  explicit LineReader(std::size_t limit) : limit_(limit) {}
  /// Maximum bytes of a line without its end, from now on. Also applies to an incomplete line.
  void limit(std::size_t bytes) { limit_ = bytes; }

  /// Feeds the next bytes of the stream. After a problem, or after `take` has returned false, further input is ignored.
  Problem feed(std::string_view bytes, const Take& take);
  /// The stream has ended.
  Problem finish(const Take& take);

  /// Bytes of the incomplete line.
  [[nodiscard]] std::size_t kept() const { return rest_.size(); }

 private:
  Problem line(std::string_view text, const Take& take);
  [[nodiscard]] std::string_view after_mark(std::string_view bytes);
  std::size_t limit_;
  bool done_ = false;
  std::size_t mark_ = 0;  // bytes of a byte order mark that were received; its full length once there can be none
  std::string rest_;      // the incomplete line
};

/// RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
bool is_utf8(std::string_view text);

/// The same JSON on one line. Line feeds in JSON only occur between tokens, where a space is equivalent.
std::string on_one_line(std::string_view json);
/// True if the text is already on one line.
inline bool is_on_one_line(std::string_view json) {
  return json.find('\n') == std::string_view::npos && json.find('\r') == std::string_view::npos;
}

}  // namespace nuropb::edge
