#include "edge/http_listener.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb::edge {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t max_head = 16U << 10;
constexpr std::size_t spare_connections = 16;  // that may be told 503 at a time
constexpr std::size_t read_out_bytes = 1U << 20;
constexpr auto read_out_time = std::chrono::seconds(1);
constexpr auto accept_pause = std::chrono::milliseconds(100);

}  // namespace

struct HttpListener::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, Settings s, OnHead judge, OnRequest handler)
      : io(context),
        settings(std::move(s)),
        on_head(std::move(judge)),
        on_request(std::move(handler)),
        acceptor(context),
        retry(context) {}

  void accept();
  void take(tcp::socket socket);

  asio::io_context& io;
  Settings settings;
  OnHead on_head;
  OnRequest on_request;
  tcp::acceptor acceptor;
  asio::steady_timer retry;
  std::size_t sessions = 0;
  std::list<Session*> idle;  // whose next head is not there yet, the longest first
  bool stopped = false;
};

class HttpListener::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Impl> impl, tcp::socket socket, bool refuse)
      : impl_(std::move(impl)), stream_(std::move(socket)), deadline_(impl_->io), refuse_(refuse) {
    ++impl_->sessions;
  }
  ~Session() {
    set_idle(false);
    --impl_->sessions;
  }

  void start() { read_head(); }
  void end() {
    set_idle(false);
    deadline_.cancel();
    stream_.close();
  }

 private:
  [[nodiscard]] auto time() const { return std::chrono::milliseconds(impl_->settings.timeout_ms); }

  void set_idle(bool idle) {
    if (idle == idle_) return;
    idle_ = idle;
    if (idle) place_ = impl_->idle.insert(impl_->idle.end(), this);
    else impl_->idle.erase(place_);
  }

  void read_head() {
    if (impl_->stopped && answered_) return end();
    parser_.emplace();
    parser_->header_limit(max_head);
    parser_->body_limit(impl_->settings.max_body);
    answered_ = false;
    continued_ = false;
    set_idle(!refuse_);
    stream_.expires_never();
    await_request();
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](const error_code& error, std::size_t) {
                              self->set_idle(false);
                              if (error) return self->failed(error);
                              self->on_head();
                            });
  }

  /// For all of the request: one byte now and then wins no time. The stream's own clock would close the socket, and
  /// whoever is late in the middle of it is to be told.
  void await_request() {
    late_ = false;
    deadline_.expires_after(time());
    deadline_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
      const auto self = weak.lock();
      if (cancelled || !self) return;
      self->late_ = true;
      self->stream_.cancel();
    });
  }

  void on_head() {
    const auto& request = parser_->get();
    const HttpListener::Settings& settings = impl_->settings;
    if (refuse_)
      return refuse(
          come_again("all connections of " + settings.who + " are taken (" + settings.section + ".connections)"));
    const auto view = [](boost::beast::string_view text) { return std::string_view(text.data(), text.size()); };
    const std::string_view target = view(request.target());
    Head head{view(request.method_string()), target.substr(0, target.find('?')), [&](std::string_view name) {
                const auto found = request.find(boost::beast::string_view(name.data(), name.size()));
                return found == request.end() ? std::string_view() : view(found->value());
              }};
    request_ = {std::string(head.method), std::string(head.path), {}, std::string(head.field("Host")), {}};
    if (auto refusal = impl_->on_head(head, request_)) return refuse(std::move(*refusal));
    if (!continued_ && beast::iequals(request[http::field::expect], "100-continue")) return say_continue();
    read_body();
  }

  void say_continue() {
    continued_ = true;
    auto response = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(stream_, *response, [self = shared_from_this(), response](const error_code& error, std::size_t) {
      if (error) return self->end();
      self->read_body();
    });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (error) return self->failed(error);
      self->deadline_.cancel();  // the edge answers in its own time
      self->request_.body = std::move(self->parser_->get().body());
      self->impl_->on_request(std::move(self->request_), [self](HttpAnswer answer) {
        self->answer(std::move(answer), !self->parser_->keep_alive());
      });
    });
  }

  void failed(const error_code& error) {
    if (error == http::error::body_limit)
      return refuse(refusal(
          413, error_name::validation,
          "the body is larger than " + std::to_string(impl_->settings.max_body) + " bytes (limits.message_bytes)"));
    if (error == http::error::header_limit)
      return refuse(refusal(431, error_name::validation, "the head is larger than 16 KiB"));
    if (late_ && (buffer_.size() > 0 || parser_->is_header_done()))
      return refuse(refusal(408, error_name::timeout,
                            "the request took longer than " + std::to_string(impl_->settings.timeout_ms) + " ms (" +
                                impl_->settings.section + ".timeout_ms)"));
    // Whoever says nothing, or ends, gets no answer; what is no HTTP does.
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error.category() != http::make_error_code(http::error::bad_method).category())
      return end();
    refuse(refusal(400, error_name::validation, "not HTTP: " + error.message()));
  }

  void refuse(HttpAnswer answer) { this->answer(std::move(answer), true); }

  void answer(HttpAnswer said, bool last) {
    if (answered_) return;
    answered_ = true;
    deadline_.cancel();
    auto response = std::make_shared<http::response<http::string_body>>(static_cast<http::status>(said.status), 11);
    response->set(http::field::content_type, "application/json");
    response->set(http::field::cache_control, "no-store");
    for (const auto& [name, value] : said.headers) response->set(name, value);
    response->body() = std::move(said.body);
    last = last || impl_->stopped;
    response->keep_alive(!last);
    response->prepare_payload();
    stream_.expires_after(time());
    http::async_write(stream_, *response,
                      [self = shared_from_this(), response, last](const error_code& error, std::size_t) {
                        if (error) return self->end();
                        if (last) self->read_out();
                        else self->read_head();
                      });
  }

  /// A socket that is closed with bytes unread resets the connection, and the answer may be lost with it.
  void read_out() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(read_out_time);
    read_out_more();
  }
  void read_out_more() {
    stream_.async_read_some(asio::buffer(rest_),
                            [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                              self->read_out_ += bytes;
                              if (error || self->read_out_ > read_out_bytes) return self->end();
                              self->read_out_more();
                            });
  }

  std::shared_ptr<Impl> impl_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{max_head + (64U << 10)};
  std::optional<http::request_parser<http::string_body>> parser_;
  asio::steady_timer deadline_;
  Request request_;
  std::array<char, 4096> rest_;
  std::size_t read_out_ = 0;
  std::list<Session*>::iterator place_;
  bool refuse_, idle_ = false, answered_ = true, continued_ = false, late_ = false;
};

void HttpListener::Impl::accept() {
  acceptor.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
    if (self->stopped) return;
    if (!error) {
      self->take(std::move(socket));
      return self->accept();
    }
    // Out of descriptors or memory: trying again at once would only burn the CPU that could free some.
    self->retry.expires_after(accept_pause);
    self->retry.async_wait([self](const error_code& cancelled) {
      if (!cancelled && !self->stopped) self->accept();
    });
  });
}

void HttpListener::Impl::take(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  bool refuse = sessions >= settings.connections;
  if (refuse && !idle.empty()) {
    idle.front()->end();
    refuse = false;
  }
  if (sessions >= settings.connections + spare_connections) return;
  std::make_shared<Session>(shared_from_this(), std::move(socket), refuse)->start();
}

HttpListener::HttpListener(asio::io_context& io, Settings settings, OnHead on_head, OnRequest on_request)
    : impl_(std::make_shared<Impl>(io, std::move(settings), std::move(on_head), std::move(on_request))) {}
HttpListener::~HttpListener() { stop(); }

std::string HttpListener::listen() {
  error_code error;
  const auto address = asio::ip::make_address(impl_->settings.address, error);
  if (error) return impl_->settings.section + ".address '" + impl_->settings.address + "' is not an IP address";
  const tcp::endpoint endpoint(address, impl_->settings.port);
  impl_->acceptor.open(endpoint.protocol(), error);
  if (!error) impl_->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  // Every edge binds the same port, and the kernel spreads connections over them.
  const int on = 1;
  if (!error && ::setsockopt(impl_->acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
    error.assign(errno, boost::system::system_category());
  if (!error) impl_->acceptor.bind(endpoint, error);
  if (!error) impl_->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return "can't listen for " + impl_->settings.who + " on " + impl_->settings.address + " port " +
           std::to_string(impl_->settings.port) + ": " + error.message();
  impl_->accept();
  return {};
}

std::uint16_t HttpListener::port() const {
  error_code error;
  return impl_->acceptor.local_endpoint(error).port();
}

void HttpListener::stop() {
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->retry.cancel();
  error_code ignored;
  impl_->acceptor.close(ignored);
  while (!impl_->idle.empty()) impl_->idle.front()->end();
}

}  // namespace nuropb::edge
