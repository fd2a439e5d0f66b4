#pragma once
// A response without an end: lines, for as long as the client reads (HttpAnswer::lines). Lines may be written as soon
// as the stream exists; they are queued until the server has sent the head.
//
// The queue is bounded. Lines that a slow reader leaves no room for are dropped, and one JSON line in their place
// reports their number: {"left_out":7}. Owner thread: the server's, whose io_context must outlive the stream.

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
  /// `most_waiting`: maximum bytes of queued lines.
  explicit LineStream(std::size_t most_waiting) : most_waiting_(most_waiting) {}
  LineStream(const LineStream&) = delete;
  LineStream& operator=(const LineStream&) = delete;
  ~LineStream() = default;

  /// Queues one line, given without its newline.
  void write(std::string_view line);
  /// Whether the reader has disconnected.
  [[nodiscard]] bool gone() const { return gone_; }

  /// For the server: serves the connection, which owns `stream`, until the client disconnects. `head` is sent first.
  void begin(HttpStream& stream, std::shared_ptr<void> connection, std::string_view head);

 private:
  void write_lines();
  void await_end();
  void leave();

  // nullptr before begin() and after the client has left.
  HttpStream* stream_ = nullptr;
  std::shared_ptr<void> connection_;
  std::string lines_, under_way_;
  std::size_t most_waiting_, left_out_ = 0;
  bool gone_ = false;
  char one_ = 0;
};

}  // namespace nuropb
