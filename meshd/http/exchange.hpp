#pragma once
// Private to the HTTP client: one connection, one request, its answer.
//
// Boost.Asio's operations are asynchronous so that they can be ended: each is started, and the caller's own thread
// runs the loop until it is done, its deadline passes, or cancel() closes the socket.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "meshd/http/client.hpp"

namespace nuropb::http::detail {

using Socket = boost::asio::ip::tcp::socket;
using ErrorCode = boost::system::error_code;

/// A look-up of a host name on a thread of its own: getaddrinfo can't be ended, only left behind.
struct Lookup;

class Exchange {
 public:
  explicit Exchange(const Url& url);

  Result<void> connect(const Tls& tls, SteadyTime deadline);
  Result<void> send(const Request& request, SteadyTime deadline);
  Result<Response> read_answer(std::size_t max_body, SteadyTime deadline);
  /// For an answer that goes on: its status, then piece by piece; an empty piece is its end.
  Result<unsigned> read_head(SteadyTime deadline);
  Result<std::string> read_piece(SteadyTime deadline);

  void cancel();  // any thread

 private:
  Result<std::vector<boost::asio::ip::tcp::endpoint>> resolve(SteadyTime deadline);
  Result<void> start_tls(const Tls& tls, SteadyTime deadline);
  template <class Begin>
  ErrorCode run(SteadyTime deadline, Begin begin);
  template <class Parser>
  ErrorCode read(Parser& parser, SteadyTime deadline, bool head_only);
  [[nodiscard]] tl::unexpected<Error> wrong(ErrorCode error, const char* doing) const;

  Url url_;
  boost::asio::io_context io_{1};
  Socket socket_;
  std::optional<boost::asio::ssl::context> context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::response_parser<boost::beast::http::buffer_body>> going_on_;
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<Lookup> lookup_;
};

}  // namespace nuropb::http::detail
