#include "meshd/admin_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "meshd/one_answer.hpp"

namespace nuropb::meshd {
namespace {

using Local = boost::asio::local::stream_protocol;
using Server = OneAnswerServer<Local>;

constexpr std::size_t most_waiting = 256 * 1024;  // lines of a tap whose reader is slow

OneAnswer answer_of(const AdminSocket::Answer& answer) {
  return {answer.good ? http::status::ok : http::status::bad_request, answer.json + "\n", "application/json"};
}

/// Somebody who watches: lines until they leave.
class TapReader : public Taps::Reader, public std::enable_shared_from_this<TapReader> {
 public:
  TapReader(Server::Stream& stream, std::shared_ptr<void> visit) : stream_(stream), visit_(std::move(visit)) {}

  void begin() {
    begun_ = true;
    lines_.insert(0, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n");
    write_lines();
    // It has nothing more to say: what comes is its end.
    stream_.async_read_some(boost::asio::buffer(&one_, 1), [self = shared_from_this()](const boost::system::error_code&,
                                                                                       std::size_t) { self->leave(); });
  }
  void write(std::string_view line) override {
    if (left_) return;
    if (lines_.size() + line.size() > most_waiting) {
      ++left_out_;
      return;
    }
    if (left_out_ > 0) lines_ += "{\"left_out\":" + std::to_string(std::exchange(left_out_, 0)) + "}\n";
    lines_.append(line) += '\n';
    if (begun_ && under_way_.empty()) write_lines();
  }
  [[nodiscard]] bool gone() const override { return left_; }

 private:
  void write_lines() {
    under_way_ = std::exchange(lines_, {});
    boost::asio::async_write(stream_, boost::asio::buffer(under_way_),
                             [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                               self->under_way_.clear();
                               if (error) self->leave();
                               else if (!self->lines_.empty()) self->write_lines();
                             });
  }
  void leave() {
    left_ = true;
    stream_.close();
  }

  Server::Stream& stream_;
  std::shared_ptr<void> visit_;  // in which the stream is
  std::string lines_, under_way_;
  std::size_t left_out_ = 0;
  bool begun_ = false, left_ = false;
  char one_ = 0;
};

/// POST /tap.
bool tap(const AdminSocket::Callbacks& callbacks, const OneRequest& asked, Server::Stream& stream,
         std::shared_ptr<void> visit, const std::function<void(OneAnswer)>& done) {
  if (!callbacks.tap || asked.method() != http::verb::post || asked.target() != "/tap") return false;
  const auto reader = std::make_shared<TapReader>(stream, std::move(visit));
  if (const auto refused = callbacks.tap(asked.body(), reader)) done(answer_of(*refused));
  else reader->begin();
  return true;
}

bool is_refused(const std::function<bool(pid_t)>& refuses, Local::socket& socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (!refuses) return false;
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || refuses(who.pid);
}

void answer(const AdminSocket::Callbacks& callbacks, const OneRequest& asked,
            const std::function<void(OneAnswer)>& done) {
  constexpr std::string_view operations = "/operations/";
  const std::string_view target(asked.target().data(), asked.target().size());
  const bool operation = target.starts_with(operations);
  if (operation && asked.method() == http::verb::post) {
    return callbacks.operate(std::string(target.substr(operations.size())), asked.body(),
                             [done](const AdminSocket::Answer& answer) { done(answer_of(answer)); });
  }
  if (auto page = answer_page(callbacks.pages, asked)) return done(std::move(*page));
  if (operation || target == "/metrics" || target == "/healthz" || target == "/readyz")
    return done({http::status::method_not_allowed, "GET /metrics, POST /operations/NAME\n", "text/plain"});
  done({http::status::not_found, "there is GET /metrics, /healthz, /readyz, POST /operations/NAME and POST /tap\n",
        "text/plain"});
}

}  // namespace

struct AdminSocket::Impl {
  std::string path;
  std::shared_ptr<Server> server;
};

AdminSocket::AdminSocket(boost::asio::io_context& io, std::string path, std::size_t largest_body, Callbacks callbacks)
    : impl_(std::make_shared<Impl>()) {
  impl_->path = std::move(path);
  const auto called = std::make_shared<const Callbacks>(std::move(callbacks));
  impl_->server = std::make_shared<Server>(
      io, largest_body,
      Server::Callbacks{[called](const OneRequest& asked, const std::function<void(OneAnswer)>& done) {
                          answer(*called, asked, done);
                        },
                        [called](Local::socket& socket) { return is_refused(called->refuses, socket); },
                        [called](const OneRequest& asked, Server::Stream& stream, std::shared_ptr<void> visit,
                                 const std::function<void(OneAnswer)>& done) {
                          return tap(*called, asked, stream, std::move(visit), done);
                        }});
}

AdminSocket::~AdminSocket() {
  const bool listened = impl_->server->acceptor.is_open();
  impl_->server->close();
  if (listened) ::unlink(impl_->path.c_str());
}

Result<void> AdminSocket::start() {
  ::unlink(impl_->path.c_str());
  boost::system::error_code error;
  auto& acceptor = impl_->server->acceptor;
  acceptor.open(Local(), error);
  if (!error && impl_->path.size() > 107) error = boost::asio::error::name_too_long;
  if (!error) acceptor.bind(Local::endpoint(impl_->path), error);
  if (!error && ::chmod(impl_->path.c_str(), 0600) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor.listen(static_cast<int>(Server::most_connections), error);
  if (error) return failure("can't listen: " + error.message(), impl_->path, "gateway.runtime_dir");
  impl_->server->accept();
  return {};
}

}  // namespace nuropb::meshd
