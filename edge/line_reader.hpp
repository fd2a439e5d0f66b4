#pragma once
// Bytes of a stream, cut into the lines of the protocol "a JSON message a line" (docs/reference/protocol.md). Pure;
// bounded in memory by the limit, however the bytes come.
//
// A line ends with LF or CR LF. Lines of nothing but spaces, tabs and CRs are no messages. The end of the stream ends the
// last line, too. A byte order mark at the stream's begin is left out: writers of .NET begin each stream with one.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nuropb::edge {

class LineReader {
 public:
  enum class Problem : std::uint8_t { none, too_long, not_utf8 };
  /// Is given a line without its end, valid during the call. It may change the limit. False: it wants no more of them.
  using Take = std::function<bool(std::string_view line)>;

  explicit LineReader(std::size_t limit) : limit_(limit) {}
  /// The longest line that is taken from now on, in bytes, without its end. Holds for what is incomplete already.
  void limit(std::size_t bytes) { limit_ = bytes; }

  /// The next bytes of the stream. After a problem, or once `take` has said false, nothing more is looked at.
  Problem feed(std::string_view bytes, const Take& take);
  /// The stream has ended.
  Problem finish(const Take& take);

  /// Bytes of the line that is not complete yet.
  [[nodiscard]] std::size_t kept() const { return rest_.size(); }

 private:
  Problem line(std::string_view text, const Take& take);
  [[nodiscard]] std::string_view after_mark(std::string_view bytes);
  std::size_t limit_;
  bool done_ = false;
  std::size_t mark_ = 0;  // bytes of a byte order mark that have come; all of them, too, once there can be none
  std::string rest_;      // of the line that is not complete yet
};

/// RFC 3629: neither overlong forms nor surrogates, and nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// The same JSON text on one line. A line feed in JSON stands between tokens only, where a space does as well.
std::string on_one_line(std::string_view json);
/// True if it is on one line already.
inline bool is_on_one_line(std::string_view json) {
  return json.find('\n') == std::string_view::npos && json.find('\r') == std::string_view::npos;
}

}  // namespace nuropb::edge
