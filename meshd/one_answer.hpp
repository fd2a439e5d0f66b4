#pragma once
// One answer to a connection, over any kind of stream socket: what the admin socket and the listener for metrics share.
// A few connections at a time, each for a few seconds to ask and to read, so that nobody who asks can hold anything up.
// Owner thread: that of the io_context.

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "meshd/pages.hpp"

namespace nuropb::meshd {

namespace http = boost::beast::http;

struct OneAnswer {
  http::status status = http::status::ok;
  std::string body;
  const char* type = "text/plain";
};
using OneRequest = http::request<http::string_body>;

template <class Protocol>
class OneAnswerServer : public std::enable_shared_from_this<OneAnswerServer<Protocol>> {
 public:
  using Socket = typename Protocol::socket;
  using Stream = boost::beast::basic_stream<Protocol>;
  static constexpr std::size_t most_connections = 16;
  struct Callbacks {
    /// The answer once, from here or later. While it is waited for, nobody's time runs but the answerer's.
    std::function<void(const OneRequest&, std::function<void(OneAnswer)>)> answer;
    /// Whether whoever has connected is turned away; nothing: nobody is.
    std::function<bool(Socket&)> refuses{};
    /// True: it has answered, or goes on with the connection by itself as long as it holds `visit`, in which `stream` is.
    std::function<bool(const OneRequest&, Stream& stream, std::shared_ptr<void> visit,
                       const std::function<void(OneAnswer)>& answer)>
        goes_on{};
  };
  OneAnswerServer(boost::asio::io_context& io, std::size_t largest_body, Callbacks called)
      : callbacks(std::move(called)), acceptor(io), pause_(io), largest_body_(largest_body) {}

  void accept() {
    acceptor.async_accept([self = this->shared_from_this()](const boost::system::error_code& error, Socket socket) {
      if (error == boost::asio::error::operation_aborted) return;
      if (!error && self->visits_ < most_connections && !(self->callbacks.refuses && self->callbacks.refuses(socket)))
        std::make_shared<Visit>(std::move(socket), self)->read();
      if (!error) return self->accept();
      self->pause_.expires_after(patience);  // out of descriptors: not at once again
      self->pause_.async_wait([self](const boost::system::error_code& cancelled) {
        if (!cancelled) self->accept();
      });
    });
  }
  /// Who still asks gets nothing of what is gone.
  void close() {
    callbacks.answer = [](const OneRequest&, const std::function<void(OneAnswer)>&) {};
    callbacks.goes_on = nullptr;
    boost::system::error_code ignored;
    if (acceptor.is_open()) acceptor.close(ignored);
    pause_.cancel();
  }

  Callbacks callbacks;
  typename Protocol::acceptor acceptor;

 private:
  static constexpr auto patience = std::chrono::seconds(5);
  static constexpr std::uint32_t largest_head = 8 * 1024;

  /// One who asks: a request, an answer, the end.
  struct Visit : std::enable_shared_from_this<Visit> {
    Visit(Socket socket, std::shared_ptr<OneAnswerServer> to) : stream(std::move(socket)), owner(std::move(to)) {
      ++owner->visits_;
      request.header_limit(largest_head);
      request.body_limit(owner->largest_body_);
    }
    ~Visit() { --owner->visits_; }
    void read() {
      stream.expires_after(patience);
      http::async_read(stream, buffer, request,
                       [self = this->shared_from_this()](const boost::system::error_code& error, std::size_t) {
                         if (error) return;
                         self->stream.expires_never();
                         const auto& called = self->owner->callbacks;
                         const auto say = [self](OneAnswer done) { self->say(std::move(done)); };
                         if (called.goes_on && called.goes_on(self->request.get(), self->stream, self, say)) return;
                         called.answer(self->request.get(), say);
                       });
    }
    void say(OneAnswer done) {
      response.result(done.status);
      response.set(http::field::content_type, done.type);
      response.set(http::field::cache_control, "no-store");
      response.body() = std::move(done.body);
      stream.expires_after(patience);
      response.keep_alive(false);
      response.prepare_payload();
      http::async_write(stream, response,
                        [self = this->shared_from_this()](const boost::system::error_code&, std::size_t) {
                          boost::system::error_code ignored;
                          self->stream.socket().shutdown(Socket::shutdown_send, ignored);
                        });
    }

    Stream stream;
    boost::beast::flat_buffer buffer{largest_head};
    http::request_parser<http::string_body> request;
    http::response<http::string_body> response;
    std::shared_ptr<OneAnswerServer> owner;
  };

  boost::asio::steady_timer pause_;
  std::size_t largest_body_;
  std::size_t visits_ = 0;
};

/// Nothing: it is none of them, or not asked for with GET.
std::optional<OneAnswer> answer_page(const Pages& pages, const OneRequest& asked);

}  // namespace nuropb::meshd
