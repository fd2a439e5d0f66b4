#pragma once
// One HTTP/1.1 connection of a client: reads requests one after the other, and writes their responses. A client may send the next
// requests ahead (pipelining); they are read when the response to the present one is written.
//
//   head ──► Owner::on_head() ──► read_body() ──► Owner::on_body() ──► respond() ──► the next head, or closed
//                   └──────────────── respond(), of what is refused ────────┘
//
// While the owner works on a request the connection is still read, within a bound, to notice that the client has left. A client
// that ends only its own side counts as one that has left.
//
// Kept alive by its owner and by pending operations. Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/answer.hpp"
#include "common/http/request_head.hpp"
#include "edge/http_calls/body_reader.hpp"
#include "edge/net/stream.hpp"

namespace nuropb::edge {

class HttpSocket : public std::enable_shared_from_this<HttpSocket> {
 public:
  struct Settings {
    HeadLimits head;                      ///< with the largest body
    std::chrono::milliseconds idle;       ///< between two requests
    std::chrono::milliseconds head_time;  ///< for a head, once it has begun
    std::chrono::milliseconds taking;     ///< for a client to take a response
  };
  /// Handles the events of a connection. They are reported from the event loop, and by begin() and read_body() before these
  /// return.
  class Owner {
   public:
    virtual ~Owner() = default;
    /// A head that is valid; its views only during the call. The owner calls read_body(), respond() or release(), now or later.
    virtual void on_head(const RequestHead& head) = 0;
    /// A part of the body has arrived; in all `bytes`.
    virtual void on_part_of_body(std::size_t bytes) = 0;
    /// The whole request has arrived. The owner calls respond(), now or later.
    virtual void on_body(std::string body) = 0;
    /// The request ends here: it is not HTTP, too large or too slow. The owner calls respond() with that answer, which it may
    /// complete.
    virtual void on_refused(HttpAnswer answer) = 0;
    /// The kernel has accepted a response.
    virtual void on_written() = 0;
    /// The connection has ended. Nothing more is called.
    virtual void on_gone() = 0;
  };

  /// `owner` has to outlive the connection's end, on_gone().
  HttpSocket(boost::asio::io_context& io, std::shared_ptr<Stream> stream, const Settings& settings, Owner& owner);

  /// Reads the first request.
  void begin() { go_on(); }
  /// Reads the body of the request whose head was passed on.
  void read_body();
  /// Once for each request. The connection is closed after it if the request was not read completely, or not `may_stay`.
  void respond(const HttpAnswer& answer, bool may_stay);
  /// Closes after the request that is in progress; at once if there is none.
  void stop();
  /// Closes after the next response.
  void let_go() { last_ = true; }
  /// Closes at once, without the rest of a response.
  void drop() { end(); }
  /// Passes the connection on, from within on_head(), with the head to be read again. Null if that is not possible, since
  /// reading has gone on already.
  [[nodiscard]] std::shared_ptr<Stream> release(const RequestHead& head);
  /// Bytes of a response that the kernel has not accepted.
  [[nodiscard]] std::size_t unsent() const { return out_.size() - written_; }

 private:
  using Error = boost::system::error_code;
  enum class Step : std::uint8_t { head, owner, body, writing, leaving, gone };

  void go_on();
  bool read_head();
  bool read_more_of_body();
  void write_continue(std::string_view left);
  void refuse(HttpAnswer answer);
  void write();
  void on_written(const Error& error, std::size_t bytes);
  void response_written();
  template <class Work>
  void guarded(Work&& work);
  [[nodiscard]] bool reads_large() const;
  void read();
  void on_read(const Error& error, std::size_t bytes);
  void leave();
  void end();
  void set_deadline(std::chrono::milliseconds limit);
  void clear_deadline() { deadline_ = Time::max(); }
  void arm();

  using Time = std::chrono::steady_clock::time_point;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Stream> stream_;
  const Settings& settings_;
  Owner& owner_;
  Step step_ = Step::head;
  Time deadline_ = Time::max(), armed_for_ = Time::max();
  std::string in_;             // where the kernel puts bytes
  std::string received_;       // bytes that are not processed yet
  std::size_t searched_ = 0;   // bytes of an incomplete head
  std::size_t discarded_ = 0;  // bytes that arrived while leaving
  std::unique_ptr<BodyReader> body_;
  std::string out_;
  std::size_t written_ = 0;
  bool whole_ = false;     // the request was read completely
  bool expects_ = false;   // its client waits for a 100 response
  bool keeps_ = false;     // its client accepts another response on this connection
  bool old_ = false;       // it is HTTP/1.0
  bool bodiless_ = false;  // it is HEAD
  bool reading_ = false, continuing_ = false, going_on_ = false, stopping_ = false, last_ = false;
};

}  // namespace nuropb::edge
