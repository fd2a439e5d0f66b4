#pragma once
// An answer without an end: lines, for as long as the client reads (HttpAnswer::lines). It is written to from when it is made;
// what is written before the server has sent the head follows the head.
//
// Bounded: of lines for which a slow reader leaves no room, the number is kept, and told in their place in one line of JSON:
// {"left_out":7}. Owner thread: the server's, whose io_context must outlive it.

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace nuropb {

/// A connection's bytes, over TCP or a Unix socket.
using HttpStream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

class LineStream : public std::enable_shared_from_this<LineStream> {
 public:
  /// `most_waiting`: bytes of lines that the reader has not taken yet.
  explicit LineStream(std::size_t most_waiting) : most_waiting_(most_waiting) {}
  LineStream(const LineStream&) = delete;
  LineStream& operator=(const LineStream&) = delete;
  ~LineStream() = default;

  /// One line, without its end.
  void write(std::string_view line);
  /// Whether the reader has left.
  [[nodiscard]] bool gone() const { return gone_; }

  /// For the server: goes on with the connection, which owns `stream`, until the client leaves. `head`: bytes that come first.
  void begin(HttpStream& stream, std::shared_ptr<void> connection, std::string_view head);

 private:
  void write_lines();
  void await_end();
  void leave();

  HttpStream* stream_ = nullptr;  // nullptr: not begun, or gone
  std::shared_ptr<void> connection_;
  std::string lines_, under_way_;
  std::size_t most_waiting_, left_out_ = 0;
  bool gone_ = false;
  char one_ = 0;
};

}  // namespace nuropb
