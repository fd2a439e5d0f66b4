#pragma once
// A small HTTP server on a thread of its own: one request after the other, each answered by what the test says.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <thread>

#include "meshd/http/client.hpp"

namespace nuropb::meshd {

class SmallServer {
 public:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  struct Answer {
    unsigned status = 200;
    std::string body;
  };
  using Respond = std::function<Answer(const Request&)>;

  explicit SmallServer(Respond respond)
      : respond_(std::move(respond)),
        acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}),
        port_(acceptor_.local_endpoint().port()),
        thread_([this] { serve(); }) {}
  ~SmallServer() { stop(); }
  void stop() {
    if (stopped_.exchange(true)) return;
    boost::system::error_code ignored;
    boost::asio::ip::tcp::socket(io_).connect({boost::asio::ip::address_v4::loopback(), port_}, ignored);
    thread_.join();
    acceptor_.close(ignored);
  }
  [[nodiscard]] http::Url url(std::string base = "/keys") const {
    http::Url out;
    out.host = "127.0.0.1";
    out.port = port_;
    out.base = std::move(base);
    return out;
  }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void serve() {
    namespace http_ = boost::beast::http;
    while (!stopped_) {
      boost::system::error_code error;
      boost::asio::ip::tcp::socket socket(io_);
      acceptor_.accept(socket, error);
      if (error || stopped_) continue;
      boost::beast::flat_buffer buffer;
      Request request;
      http_::read(socket, buffer, request, error);
      if (error) continue;
      ++requests_;
      const Answer answer = respond_(request);
      http_::response<http_::string_body> response(static_cast<http_::status>(answer.status), 11);
      response.body() = answer.body;
      response.prepare_payload();
      http_::write(socket, response, error);
    }
  }
  Respond respond_;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::atomic<bool> stopped_{false};
  std::atomic<int> requests_{0};
  std::thread thread_;
};

}  // namespace nuropb::meshd
