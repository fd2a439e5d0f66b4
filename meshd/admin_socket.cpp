#include "meshd/admin_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <utility>

namespace nuropb::meshd {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Local = asio::local::stream_protocol;

constexpr std::size_t most_connections = 16;
constexpr auto patience = std::chrono::seconds(5);
constexpr std::uint32_t largest_head = 8 * 1024;
constexpr std::size_t most_waiting = 256 * 1024;  // lines of a tap whose reader is slow

}  // namespace

struct AdminSocket::Impl : std::enable_shared_from_this<AdminSocket::Impl> {
  /// One who asks: a request, an answer, the end.
  struct Visit : Taps::Reader, std::enable_shared_from_this<Visit> {
    Visit(Local::socket socket, std::shared_ptr<Impl> to) : stream(std::move(socket)), owner(std::move(to)) {
      ++owner->visits;
      request.header_limit(largest_head);
      request.body_limit(owner->largest_body);
    }
    ~Visit() override { --owner->visits; }

    void read() {
      stream.expires_after(patience);
      http::async_read(stream, buffer, request,
                       [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                         if (!error) self->answer();
                       });
    }
    void answer() {
      constexpr std::string_view operations = "/operations/";
      const auto& asked = request.get();
      const std::string_view target(asked.target().data(), asked.target().size());
      const bool gets = asked.method() == http::verb::get, posts = asked.method() == http::verb::post;
      if (posts && target.starts_with(operations)) {
        // Nobody reads or writes until the answer is there, so only our own deadlines end the wait.
        stream.expires_never();
        return owner->callbacks.operate(
            std::string(target.substr(operations.size())), asked.body(), [self = shared_from_this()](Answer done) {
              self->say(done.good ? http::status::ok : http::status::bad_request, done.json + "\n", "application/json");
            });
      }
      if (posts && target == "/tap" && owner->callbacks.tap) return tap();
      if (gets && target == "/metrics") say(http::status::ok, owner->callbacks.metrics(), "text/plain; version=0.0.4");
      else if (target == "/metrics" || target.starts_with(operations))
        say(http::status::method_not_allowed, "GET /metrics, POST /operations/NAME\n", "text/plain");
      else say(http::status::not_found, "there is GET /metrics, POST /operations/NAME and POST /tap\n", "text/plain");
    }
    void say(http::status status, std::string body, const char* type) {
      response.result(status);
      response.set(http::field::content_type, type);
      response.body() = std::move(body);
      stream.expires_after(patience);
      response.keep_alive(false);
      response.prepare_payload();
      http::async_write(stream, response, [self = shared_from_this()](const boost::system::error_code&, std::size_t) {
        boost::system::error_code ignored;
        self->stream.socket().shutdown(Local::socket::shutdown_send, ignored);
      });
    }

    // A tap: lines until its reader leaves.
    void tap() {
      stream.expires_never();
      lines = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n";
      if (const auto refused = owner->callbacks.tap(request.get().body(), shared_from_this())) {
        lines.clear();
        return say(http::status::bad_request, refused->json + "\n", "application/json");
      }
      taps = true;
      write_lines();
      // It has nothing more to say: what comes is its end.
      stream.async_read_some(asio::buffer(&one, 1), [self = shared_from_this()](const boost::system::error_code&,
                                                                                std::size_t) { self->leave(); });
    }
    void write(std::string_view line) override {
      if (left) return;
      if (lines.size() + line.size() > most_waiting) {
        ++left_out;
        return;
      }
      if (left_out > 0) lines += "{\"left_out\":" + std::to_string(std::exchange(left_out, 0)) + "}\n";
      lines.append(line) += '\n';
      if (taps && under_way.empty()) write_lines();
    }
    [[nodiscard]] bool gone() const override { return left; }
    void write_lines() {
      under_way = std::exchange(lines, {});
      asio::async_write(stream, asio::buffer(under_way),
                        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                          self->under_way.clear();
                          if (error) self->leave();
                          else if (!self->lines.empty()) self->write_lines();
                        });
    }
    void leave() {
      left = true;
      stream.close();
    }

    std::string lines, under_way;
    std::size_t left_out = 0;
    bool taps = false, left = false;
    char one = 0;
    boost::beast::basic_stream<Local> stream;
    boost::beast::flat_buffer buffer{largest_head};
    http::request_parser<http::string_body> request;
    http::response<http::string_body> response;
    std::shared_ptr<Impl> owner;
  };

  Impl(asio::io_context& io, std::string at, std::size_t largest, Callbacks called)
      : path(std::move(at)), largest_body(largest), callbacks(std::move(called)), acceptor(io), pause(io) {}

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const boost::system::error_code& error, Local::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && self->visits < most_connections && !self->refused(socket))
        std::make_shared<Visit>(std::move(socket), self)->read();
      if (!error) return self->accept();
      self->pause.expires_after(patience);  // out of descriptors: not at once again
      self->pause.async_wait([self](const boost::system::error_code& cancelled) {
        if (!cancelled) self->accept();
      });
    });
  }

  bool refused(Local::socket& socket) {
    ucred who{};
    socklen_t size = sizeof who;
    if (!callbacks.refuses) return false;
    return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 ||
           callbacks.refuses(who.pid);
  }

  std::string path;
  std::size_t largest_body;
  Callbacks callbacks;
  Local::acceptor acceptor;
  asio::steady_timer pause;
  std::size_t visits = 0;
};

AdminSocket::AdminSocket(asio::io_context& io, std::string path, std::size_t largest_body, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(io, std::move(path), largest_body, std::move(callbacks))) {}

AdminSocket::~AdminSocket() {
  // Who still asks gets nothing of what is gone.
  impl_->callbacks = {[] { return std::string(); },
                      [](const std::string&, const std::string&, const std::function<void(Answer)>&) {}};
  boost::system::error_code ignored;
  if (!impl_->acceptor.is_open()) return;
  impl_->acceptor.close(ignored);
  impl_->pause.cancel();
  ::unlink(impl_->path.c_str());
}

Result<void> AdminSocket::start() {
  ::unlink(impl_->path.c_str());
  boost::system::error_code error;
  impl_->acceptor.open(Local(), error);
  if (!error && impl_->path.size() > 107) error = asio::error::name_too_long;
  if (!error) impl_->acceptor.bind(Local::endpoint(impl_->path), error);
  if (!error && ::chmod(impl_->path.c_str(), 0600) != 0) error.assign(errno, boost::system::system_category());
  if (!error) impl_->acceptor.listen(static_cast<int>(most_connections), error);
  if (error) return failure("can't listen: " + error.message(), impl_->path, "gateway.runtime_dir");
  impl_->accept();
  return {};
}

}  // namespace nuropb::meshd
