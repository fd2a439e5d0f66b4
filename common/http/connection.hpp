#pragma once
// Private to the server: what it shares with its connections (HttpServer::Impl), and one connection.

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
  /// Closes the one that waits longest for its peer; false if there is none. `strangers`: of those that were not checked only.
  bool make_room(bool strangers);
  [[nodiscard]] std::size_t most_strangers() const;

  std::size_t connections = 0;         // counted by HttpConnection
  std::size_t strangers = 0;           // of them, those that on_check has not let pass
  std::list<HttpConnection*> awaited;  // those that wait for their peers, the longest first
  bool stopped = false;
};

/// Kept alive by the operation that is under way, by the answer that is waited for, or by a LineStream.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `refuse`: there are too many; the client is told so.
  HttpConnection(std::shared_ptr<HttpServer::Impl> server, HttpServer::Impl::Socket socket, bool refuse);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection();

  void start() { await_head(); }
  [[nodiscard]] bool known() const { return known_; }
  /// Closes it without a word.
  void end();
  /// The same, if it has nothing under way.
  void stop();

 private:
  using Error = boost::system::error_code;

  /// Whether it waits for its peer now, and would rather be closed than a new one turned away.
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
  bool in_head_ = false;     // its next request has not begun, or its head is not complete
  bool known_ = false;       // on_check has let it pass
  std::string passed_with_;  // the credential with which it did
  std::string peer_;
  // Of the request that is under way.
  bool old_ = false, keep_alive_ = false, bodiless_ = false;
};

}  // namespace nuropb
