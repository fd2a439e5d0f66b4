#pragma once
// A client's byte stream, plain or TLS, as an AsyncReadStream and AsyncWriteStream of Asio. C++17: websocketpp's
// translation unit uses it too, so that one instantiation of websocketpp serves both.
//
// Plain reads and writes go directly to the socket. TLS works on the descriptor itself: asio::ssl::stream uses about 70
// KB per connection, while this class has an SSL object whose buffers OpenSSL frees while it is idle.
//
// At most one read and one write may be in progress. The caller keeps the stream alive until the operation's handler is
// called.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "edge/net/tls.hpp"

namespace nuropb::edge {

class Stream {
 public:
  using Tcp = boost::asio::ip::tcp::socket;
  using executor_type = Tcp::executor_type;
  using lowest_layer_type = Tcp;
  using Error = boost::system::error_code;

  explicit Stream(Tcp socket) : socket_(std::move(socket)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() = default;

  executor_type get_executor() { return socket_.get_executor(); }
  Tcp& socket() { return socket_; }
  [[nodiscard]] bool secure() const { return ssl_ != nullptr; }
  [[nodiscard]] const SSL* ssl() const { return ssl_.get(); }
  /// Switches to TLS. OpenSSL reads and writes the descriptor itself, which Asio has left in blocking mode.
  Error secure_with(SslPtr ssl) {
    ssl_ = std::move(ssl);
    Error error;
    socket_.native_non_blocking(true, error);
    return error;
  }
  /// Puts bytes back that were read too far.
  void unread(std::string bytes) { unread_ = std::move(bytes); }
  /// Keeps `ticket` alive as long as the stream.
  void carry(std::shared_ptr<void> ticket) { ticket_ = std::move(ticket); }
  /// Bytes that the peer's kernel has accepted from ours, or at least ours from us.
  [[nodiscard]] std::uint64_t written() const { return written_; }

  /// Writes what the kernel accepts immediately, and returns how much that was. Not for TLS, and not while a write is
  /// in progress. An error counts as nothing written: the next write will report it.
  std::size_t write_now(const void* bytes, std::size_t size);

  /// Whether a read is in progress.
  [[nodiscard]] bool reading() const { return reading_; }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& next) {
    reading_ = true;
    Reading<std::decay_t<Handler>> handler{this, std::forward<Handler>(next)};
    if (!unread_.empty()) {
      const std::size_t n = boost::asio::buffer_copy(buffers, boost::asio::buffer(unread_));
      unread_.erase(0, n);
      if (unread_.empty()) unread_.shrink_to_fit();
      return later(std::move(handler), Error(), n);
    }
    if (!ssl_) return socket_.async_read_some(buffers, std::move(handler));
    const boost::asio::mutable_buffer into = first_of(buffers);
    const Step step = read_tls(into);
    if (step.done()) return later(std::move(handler), step.error, step.bytes);
    wait_to_read(into, step, std::move(handler));
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (!ssl_) {
      return socket_.async_write_some(buffers, Counted<std::decay_t<Handler>>{this, std::forward<Handler>(handler)});
    }
    // A frame consists of a short head and a payload; both are sent in one TLS record.
    std::string gathered;
    std::size_t size = 0;
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers) && size < record; ++it) {
      const boost::asio::const_buffer part(*it);
      const std::size_t n = std::min(part.size(), record - size);
      if (n == 0) continue;
      gathered.append(static_cast<const char*>(part.data()), n);
      size += n;
    }
    const Step step = write_tls(gathered);
    if (step.done()) return later(std::forward<Handler>(handler), step.error, step.bytes);
    wait_to_write(std::move(gathered), step, std::forward<Handler>(handler));
  }

  /// Performs the server's side of the handshake.
  template <class Handler>
  void async_handshake(Handler&& handler) {
    const Step step = handshake_tls();
    if (step.done()) return later(std::forward<Handler>(handler), step.error, 0);
    wait_to_shake(step, std::forward<Handler>(handler));
  }

  /// Sends close_notify if that is possible immediately, then ends both directions. Pending operations complete with an
  /// error.
  Error shutdown(Tcp::shutdown_type what = Tcp::shutdown_both) {
    if (ssl_ && !broken_ && SSL_is_init_finished(ssl_.get())) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
      broken_ = true;
    }
    Error error;
    socket_.shutdown(what, error);
    return error;
  }

 private:
  static constexpr std::size_t record = 16 * 1024;

  struct Step {
    std::size_t bytes = 0;
    Error error;
    bool wants_read = false, wants_write = false;
    [[nodiscard]] bool done() const { return !wants_read && !wants_write; }
    [[nodiscard]] Tcp::wait_type what() const { return wants_read ? Tcp::wait_read : Tcp::wait_write; }
  };

  template <class Handler>
  struct Reading {
    Stream* stream;
    Handler handler;
    void operator()(const Error& error, std::size_t bytes) {
      stream->reading_ = false;
      handler(error, bytes);
    }
  };
  template <class Handler>
  struct Counted {
    Stream* stream;
    Handler handler;
    void operator()(const Error& error, std::size_t bytes) {
      stream->written_ += bytes;
      handler(error, bytes);
    }
  };

  template <class Buffers>
  static boost::asio::mutable_buffer first_of(const Buffers& buffers) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
      const boost::asio::mutable_buffer part(*it);
      if (part.size() > 0) return part;
    }
    return {};
  }

  /// The result of an operation whose socket was closed while it waited. Its descriptor may belong to another client by now, and
  /// OpenSSL would use it.
  static Error closed() { return boost::asio::error::operation_aborted; }

  template <class Handler>
  void later(Handler&& handler, Error error, std::size_t bytes) {
    boost::asio::post(socket_.get_executor(), [h = std::decay_t<Handler>(std::forward<Handler>(handler)), error,
                                               bytes]() mutable { h(error, bytes); });
  }
  template <class Handler>
  void wait_to_read(boost::asio::mutable_buffer into, const Step& before, Handler&& handler) {
    socket_.async_wait(before.what(), [this, into, h = std::decay_t<Handler>(std::forward<Handler>(handler))](
                                          const Error& failed) mutable {
      if (failed) return h(failed, std::size_t{0});
      if (!socket_.is_open()) return h(closed(), std::size_t{0});
      const Step step = read_tls(into);
      if (step.done()) h(step.error, step.bytes);
      else wait_to_read(into, step, std::move(h));
    });
  }
  template <class Handler>
  void wait_to_write(std::string bytes, const Step& before, Handler&& handler) {
    socket_.async_wait(before.what(),
                       [this, b = std::move(bytes),
                        h = std::decay_t<Handler>(std::forward<Handler>(handler))](const Error& failed) mutable {
                         if (failed) return h(failed, std::size_t{0});
                         if (!socket_.is_open()) return h(closed(), std::size_t{0});
                         const Step step = write_tls(b);
                         if (step.done()) h(step.error, step.bytes);
                         else wait_to_write(std::move(b), step, std::move(h));
                       });
  }
  template <class Handler>
  void wait_to_shake(const Step& before, Handler&& handler) {
    socket_.async_wait(before.what(),
                       [this, h = std::decay_t<Handler>(std::forward<Handler>(handler))](const Error& failed) mutable {
                         if (failed) return h(failed, std::size_t{0});
                         if (!socket_.is_open()) return h(closed(), std::size_t{0});
                         const Step step = handshake_tls();
                         if (step.done()) h(step.error, std::size_t{0});
                         else wait_to_shake(step, std::move(h));
                       });
  }

  // Each makes one attempt and never blocks (stream.cpp).
  Step read_tls(boost::asio::mutable_buffer into);
  Step write_tls(const std::string& bytes);
  Step handshake_tls();
  Step outcome(int result);

  Tcp socket_;
  SslPtr ssl_;
  bool reading_ = false;
  bool broken_ = false;  ///< OpenSSL wants no SSL_shutdown after a fatal error
  std::string unread_;
  std::uint64_t written_ = 0;
  std::shared_ptr<void> ticket_;
};

}  // namespace nuropb::edge
