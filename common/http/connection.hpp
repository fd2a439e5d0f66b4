#pragma once
// Private to the server: the state that its connections share (HttpServer::Impl), and one connection.

#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <list>
#include <memory>
#include <optional>

#include "common/http/line_stream.hpp"
#include "common/http/server.hpp"

namespace nuropb {

class HttpConnection;

struct HttpServer::Impl : std::enable_shared_from_this<Impl> {
  using Socket = HttpStream::socket_type;

  Impl(boost::asio::io_context& context, Settings s, Callbacks c);
  void accept();
  void take(Socket socket);
  void close_acceptor();
  void stop();

  boost::asio::io_context& io;
  Settings settings;
  Callbacks callbacks;
  HeadLimits limits;
  boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol> acceptor;
  boost::asio::steady_timer retry;
  /// Closes the connection that has waited longest for its peer; returns false if there is none. `strangers`: considers
  /// only connections whose peer has not passed on_check.
  bool make_room(bool strangers);
  [[nodiscard]] std::size_t most_strangers() const;

  // Counted by HttpConnection.
  std::size_t connections = 0;
  // The part of `connections` whose peer has not passed on_check.
  std::size_t strangers = 0;
  // Connections that wait for their peers, longest wait first.
  std::list<HttpConnection*> awaited;
  bool stopped = false;
};

/// Kept alive by the operation in progress, by the pending response, or by a LineStream.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `refuse`: the connection is over the limit and only receives the refusal.
  HttpConnection(std::shared_ptr<HttpServer::Impl> server, HttpServer::Impl::Socket socket, bool refuse);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection();

  void start() { await_head(); }
  [[nodiscard]] bool known() const { return known_; }
  /// Closes the connection without a response.
  void end();
  /// Closes the connection if no request is in progress.
  void stop();

 private:
  using Error = boost::system::error_code;

  /// Marks the connection as waiting for its peer, so that it may be closed in favour of a new one.
  void set_awaited(bool awaited);
  void set_known(bool known);
  void start_deadline();
  void stop_deadline();
  void await_head();
  void read_head(std::size_t searched);
  void more_of_head(std::size_t searched);
  void on_head(const RequestHead& head);
  void go_on_with_body(bool waits);
  void say_continue();
  void read_body();
  void on_body();
  void failed(const Error& error);
  [[nodiscard]] HttpAnswer too_late() const;
  [[nodiscard]] HttpAnswer too_large() const;
  void refuse(HttpAnswer answer) { this->answer(std::move(answer), true); }
  void answer(HttpAnswer said, bool last);
  void answer_lines(const HttpAnswer& said);
  void read_out();
  void read_out_more();

  std::shared_ptr<HttpServer::Impl> server_;
  HttpStream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::asio::steady_timer deadline_;
  HttpServer::Request request_;
  std::array<char, 4096> rest_;
  std::size_t read_out_ = 0;
  std::list<HttpConnection*>::iterator place_;
  bool refuse_, awaited_ = false, answered_ = true, timed_ = false, late_ = false;
  // The head of the next request has not begun or is not complete.
  bool in_head_ = false;
  // The peer has passed on_check.
  bool known_ = false;
  // The credential with which the peer passed on_check.
  std::string passed_with_;
  std::string peer_;
  // State of the request in progress.
  bool old_ = false, keep_alive_ = false, bodiless_ = false;
};

}  // namespace nuropb
