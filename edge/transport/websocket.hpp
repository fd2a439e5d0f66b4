#pragma once
// The WebSocket interface of an edge, independent of websocketpp: operations of a connection, and its events.
//
// This header and websocket_listener.cpp are C++17: websocketpp 0.8.2 writes template arguments on its constructors,
// which C++20 forbids and g++ 12 rejects. Everything else is C++20 and includes this header only.
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

#include "edge/net/client_certificate.hpp"
#include "edge/transport/deflate.hpp"
#include "edge/net/door.hpp"
#include "edge/net/liveness.hpp"

namespace boost::asio {
class io_context;
}

namespace nuropb::edge {

/// A handshake, or a plain HTTP request. Views are valid during the call.
class Handshake {
 public:
  virtual ~Handshake() = default;
  [[nodiscard]] virtual std::string_view path() const = 0;             ///< without the query
  [[nodiscard]] virtual std::string_view query() const { return {}; }  ///< what follows the '?', as sent
  [[nodiscard]] virtual std::string_view method() const = 0;
  /// The header name is case-insensitive; empty if the header is missing.
  [[nodiscard]] virtual std::string_view header(const std::string& name) const = 0;
  /// The client's address: "10.0.0.7:4711", without the port if a proxy's header provided it.
  [[nodiscard]] virtual std::string remote() const = 0;
  [[nodiscard]] virtual const ClientCertificate& certificate() const = 0;
};

/// A text message that is framed once for any number of connections, which queue it without copying. Opaque; cheap to
/// copy; an empty one sends nothing.
class Frame {
 public:
  Frame() = default;
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] std::string_view text() const { return text_; }  ///< valid as long as a copy of the frame exists
  /// Bytes of all existing frames, each counted once.
  static std::size_t bytes_in_memory();
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend Frame prepare(std::string_view text);
  friend struct FrameAccess;
  std::shared_ptr<void> message_;
  std::string_view text_;
};
Frame prepare(std::string_view text);

/// An open WebSocket. Ends with Receiver::on_close(); later calls do nothing.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void send_text(std::string_view text) = 0;
  virtual void send_binary(std::string_view bytes) = 0;
  virtual void send_frame(const Frame& frame) = 0;
  /// The later stages (0 and 1) of Handler::fetch(), whose first one has prefetched the connection itself.
  virtual void fetch(unsigned step) const { (void)step; }
  /// Starts the closing handshake; it is aborted after a few seconds. Code 0, for lines only: no close line is sent.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  /// Only from within on_open or on_message, when no read is in progress. What has already been read still arrives: at
  /// most one read buffer and the message that it completes.
  virtual void pause_reading() = 0;
  /// To be called once after a pause.
  virtual void resume_reading() = 0;
  /// Maximum size of messages from now on; a larger one closes with 1009.
  virtual void limit_message(std::size_t bytes) = 0;
  /// Bytes that were sent and that the kernel has not accepted yet.
  [[nodiscard]] virtual std::size_t buffered_bytes() const = 0;
  /// The part of them that is not in a Frame, so that no other connection shares it.
  [[nodiscard]] virtual std::size_t own_bytes() const { return buffered_bytes(); }
  /// From within on_close: the code of our side's close frame, whichever side began.
  [[nodiscard]] virtual std::uint16_t closed_with() const = 0;
  /// True once the peer has ended its side, which is not reported while reading is paused.
  [[nodiscard]] virtual bool peer_gone() const = 0;
};

/// Reports a connection's resource use apart from its messages.
class Costs {
 public:
  virtual ~Costs() = default;
  /// A message has arrived in part and uses this much memory; 0: there is no incomplete message any more.
  virtual void on_unfinished(std::size_t bytes) = 0;
  /// Approximate number of frames that completed no message; one per KiB of a message is not counted.
  virtual void on_frames(std::size_t count) = 0;
  /// There was no memory for received data; Receiver::on_close() follows.
  virtual void on_no_memory() = 0;
};

/// Callbacks for a connection's events. Owned by the connection.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_message(std::string_view text) = 0;
  /// Some clients send their JSON in binary frames, which nuropb-gw accepts: UTF-8 is not validated, otherwise the same
  /// as text.
  virtual void on_binary(std::string_view bytes) { on_message(bytes); }
  /// The kernel has accepted what buffered_bytes() counted when that write began.
  virtual void on_written() {}
  virtual void on_close() = 0;
  /// Gets reports about received data that is not a message; null: none.
  virtual Costs* costs() { return nullptr; }
  /// The peer will send no more and may be waiting for responses, so closing is up to us. Does not exist for
  /// WebSockets.
  virtual void on_end() {}
  /// The connection should be closed: it answers no pings, or sends nothing (close_codes.hpp).
  virtual void on_timeout(std::uint16_t code, std::string_view reason) = 0;
};

class WebSocketListener {
 public:
  struct Settings {
    DoorSettings door;
    std::uint32_t max_message = 0;
    Liveness::Limits liveness;
    bool compression = false;
    std::size_t compress_from = 256;  ///< bytes; shorter messages gain nothing
    DeflateSettings deflate;          ///< applies to all listeners of a process; the last one set is used
  };
  struct Callbacks {
    /// Evaluates a handshake: true to accept it, or false with a response.
    std::function<bool(const Handshake&, HttpAnswer&)> admit;
    /// The connection lives until the returned receiver's on_close() has been called.
    std::function<std::unique_ptr<Receiver>(Connection&, const Handshake&)> on_open;
    /// A request that is not an upgrade.
    std::function<HttpAnswer(const Handshake&)> on_http;
    /// Answers the pages of is_probe() when all connections are in use.
    std::function<HttpAnswer(std::string_view page)> probe;
    /// A connection was refused before its handshake.
    std::function<void()> turned_away;
    /// Takes a connection whose first request is a call over HTTP. Not called if DoorSettings::largest_body is 0.
    std::function<void(Guest)> on_call{};
  };

  WebSocketListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  ~WebSocketListener();

  /// Returns an empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  /// Takes over a connection whose request is a handshake.
  void enter(Guest guest);
  /// Accepts no new connections from now on; open ones continue.
  void stop();
  /// Reloads certificates and keys. Returns an empty text, or what is wrong; then the previous ones stay in force.
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::edge
