#pragma once
// The WebSocket side of an edge, without a word of websocketpp: what a connection can do, what happens to it.
//
// This header and websocket_listener.cpp are C++17: websocketpp 0.8.2 writes template arguments on its constructors,
// which C++20 forbids and g++ 12 refuses. Everything else is C++20 and knows this header only.
//
// One thread: all calls and callbacks are on the edge's io_context.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/client_certificate.hpp"
#include "edge/deflate.hpp"
#include "edge/door.hpp"
#include "edge/liveness.hpp"

namespace boost::asio {
class io_context;
}

namespace nuropb::edge {

/// A request for a connection, or a plain HTTP request. Views are valid during the call.
class Handshake {
 public:
  virtual ~Handshake() = default;
  [[nodiscard]] virtual std::string_view path() const = 0;             ///< without the query
  [[nodiscard]] virtual std::string_view query() const { return {}; }  ///< what follows the '?', as it was sent
  [[nodiscard]] virtual std::string_view method() const = 0;
  /// Case-insensitive; empty if it is missing.
  [[nodiscard]] virtual std::string_view header(const std::string& name) const = 0;
  /// The consumer's address, with its port unless a proxy's header told it: "10.0.0.7:4711".
  [[nodiscard]] virtual std::string remote() const = 0;
  [[nodiscard]] virtual const ClientCertificate& certificate() const = 0;
};

/// A text message, framed once for any number of connections: what they queue is shared, not copied. Opaque; cheap to
/// copy; an empty one is nothing to be sent.
class Frame {
 public:
  Frame() = default;
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] std::string_view text() const { return text_; }  ///< for as long as a copy of the frame is held
  /// Bytes of all frames that there are now, each once.
  static std::size_t bytes_in_memory();
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend Frame prepare(std::string_view text);
  friend struct FrameAccess;
  std::shared_ptr<void> message_;
  std::string_view text_;
};
Frame prepare(std::string_view text);

/// An open WebSocket. Ends with Receiver::on_close(); what is asked of it afterwards does nothing.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void send_text(std::string_view text) = 0;
  virtual void send_binary(std::string_view bytes) = 0;
  virtual void send_frame(const Frame& frame) = 0;
  /// Handler::fetch(), whose first step has brought the connection's own memory: 0 and 1 are left.
  virtual void fetch(unsigned step) const { (void)step; }
  /// Starts the closing handshake; it is cut short after a few seconds. Code 0, of lines only: there is nothing to be said.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  /// From within on_open or on_message only, where no read is on its way. What was read already still arrives: at most
  /// one read buffer and the message that it completes.
  virtual void pause_reading() = 0;
  /// After a pause, once.
  virtual void resume_reading() = 0;
  /// The largest message that is taken from now on; a larger one closes with 1009.
  virtual void limit_message(std::size_t bytes) = 0;
  /// Bytes that were sent, and that the kernel has not taken yet.
  [[nodiscard]] virtual std::size_t buffered_bytes() const = 0;
  /// Those of them that are in no Frame: no other connection has them, too.
  [[nodiscard]] virtual std::size_t own_bytes() const { return buffered_bytes(); }
  /// From within on_close: the code that the closing frame of our side had, whoever began.
  [[nodiscard]] virtual std::uint16_t closed_with() const = 0;
  /// True once the peer has ended its side, which nobody is told of while reading is paused.
  [[nodiscard]] virtual bool peer_gone() const = 0;
};

/// What a connection costs beside its messages.
class Costs {
 public:
  virtual ~Costs() = default;
  /// A message has arrived in part, and takes this much memory; 0: none does any more.
  virtual void on_unfinished(std::size_t bytes) = 0;
  /// Frames arrived that complete no message, about so many; one for each KiB of a message is left out of the count.
  virtual void on_frames(std::size_t count) = 0;
  /// There was no memory for what the peer sent: Receiver::on_close() follows.
  virtual void on_no_memory() = 0;
};

/// Who gets what happens to a connection. Owned by the connection.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_message(std::string_view text) = 0;
  /// Some clients send their JSON in binary frames, and nuropb-gw takes it: not known to be UTF-8, but otherwise the same.
  virtual void on_binary(std::string_view bytes) { on_message(bytes); }
  /// The kernel has taken what buffered_bytes() counted when that write began.
  virtual void on_written() {}
  virtual void on_close() = 0;
  /// Who is told of what arrives and is no message; nothing: nobody.
  virtual Costs* costs() { return nullptr; }
  /// The peer will say no more, and may be waiting for answers: it is for us to close. WebSockets have no such thing.
  virtual void on_end() {}
  /// It is time to close it: it answers no pings, or says nothing (close_codes.hpp).
  virtual void on_timeout(std::uint16_t code, std::string_view reason) = 0;
};

class WebSocketListener {
 public:
  struct Settings {
    DoorSettings door;
    std::uint32_t max_message = 0;
    Liveness::Limits liveness;
    bool compression = false;
    std::size_t compress_from = 256;  ///< bytes; what is shorter gains nothing by it
    DeflateSettings deflate;          ///< of all listeners of a process: the last one's count
  };
  struct Callbacks {
    /// Judges a handshake: true to go on, or false with an answer.
    std::function<bool(const Handshake&, HttpAnswer&)> admit;
    /// The connection lives until after on_close() of the receiver that is returned.
    std::function<std::unique_ptr<Receiver>(Connection&, const Handshake&)> on_open;
    /// A request that is no upgrade.
    std::function<HttpAnswer(const Handshake&)> on_http;
    /// The pages of is_probe(), where all connections are taken.
    std::function<HttpAnswer(std::string_view page)> probe;
    /// A connection was refused before there was a handshake to judge.
    std::function<void()> turned_away;
  };

  WebSocketListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  ~WebSocketListener();

  /// An empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  /// No new connections from now on; the open ones go on.
  void stop();
  /// Reads certificates and keys again; an empty text, or what is wrong, and the former ones stay in force.
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::edge
