#include "meshd/admin_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>

#include "meshd/one_answer.hpp"

namespace nuropb::meshd {
namespace {

using Local = boost::asio::local::stream_protocol;
using Server = OneAnswerServer<Local>;

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
    return callbacks.operate(
        std::string(target.substr(operations.size())), asked.body(), [done](const AdminSocket::Answer& answer) {
          done({answer.good ? http::status::ok : http::status::bad_request, answer.json + "\n", "application/json"});
        });
  }
  if (auto page = answer_page(callbacks.pages, asked)) return done(std::move(*page));
  if (operation || target == "/metrics" || target == "/healthz" || target == "/readyz")
    return done({http::status::method_not_allowed, "GET /metrics, POST /operations/NAME\n", "text/plain"});
  done({http::status::not_found, "there is GET /metrics, /healthz, /readyz and POST /operations/NAME\n", "text/plain"});
}

}  // namespace

struct AdminSocket::Impl {
  std::string path;
  std::shared_ptr<Server> server;
};

AdminSocket::AdminSocket(boost::asio::io_context& io, std::string path, std::size_t largest_body, Callbacks callbacks)
    : impl_(std::make_shared<Impl>()) {
  impl_->path = std::move(path);
  const auto refuses = callbacks.refuses;
  impl_->server = std::make_shared<Server>(
      io, largest_body,
      Server::Callbacks{
          [callbacks = std::move(callbacks)](const OneRequest& asked, const std::function<void(OneAnswer)>& done) {
            answer(callbacks, asked, done);
          },
          [refuses](Local::socket& socket) { return is_refused(refuses, socket); }});
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
