#include "common/http/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "common/http/connection.hpp"

namespace nuropb {
namespace {

using boost::system::error_code;

// Connections over the limit that may receive a 503 at the same time.
constexpr std::size_t spare_connections = 16;
constexpr auto accept_pause = std::chrono::milliseconds(100);

}  // namespace

HttpServer::Impl::Impl(boost::asio::io_context& context, Settings s, Callbacks c)
    : io(context), settings(std::move(s)), callbacks(std::move(c)), acceptor(context), retry(context) {
  limits.body = settings.max_body;
}

void HttpServer::Impl::accept() {
  acceptor.async_accept([self = shared_from_this()](const error_code& error, Socket socket) {
    if (self->stopped || error == boost::asio::error::operation_aborted) return;
    if (!error) {
      self->take(std::move(socket));
      return self->accept();
    }
    // Out of descriptors or memory: retrying at once would only burn the CPU that could free some.
    self->retry.expires_after(accept_pause);
    self->retry.async_wait([self](const error_code& cancelled) {
      if (!cancelled && !self->stopped) self->accept();
    });
  });
}

void HttpServer::Impl::take(Socket socket) {
  if (callbacks.turns_away && callbacks.turns_away(socket.native_handle())) return;
  // Fails on a Unix socket, which has no such delay.
  error_code ignored;
  socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);  // responses are written in one piece
  // Unauthenticated connections replace one another first.
  if (callbacks.on_check && strangers >= most_strangers()) make_room(true);
  const bool refuse = connections >= settings.connections && !make_room(false);
  if (connections >= settings.connections + spare_connections) return;
  std::make_shared<HttpConnection>(shared_from_this(), std::move(socket), refuse)->start();
}

std::size_t HttpServer::Impl::most_strangers() const { return std::max<std::size_t>(settings.connections / 4, 1); }

bool HttpServer::Impl::make_room(bool of_strangers) {
  const auto found = std::find_if(awaited.begin(), awaited.end(),
                                  [&](const HttpConnection* one) { return !of_strangers || !one->known(); });
  if (found == awaited.end()) return false;
  (*found)->end();
  return true;
}

void HttpServer::Impl::close_acceptor() {
  error_code ignored;
  retry.cancel();
  if (acceptor.is_open()) acceptor.close(ignored);
}

void HttpServer::Impl::stop() {
  if (stopped) return;
  stopped = true;
  close_acceptor();
  // Closes idle connections; requests in progress are answered.
  const auto waiting = awaited;
  for (HttpConnection* const one : waiting) one->stop();
}

HttpServer::HttpServer(boost::asio::io_context& io, Settings settings, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(io, std::move(settings), std::move(callbacks))) {}

HttpServer::~HttpServer() {
  stop();
  impl_->callbacks = {};  // connections may outlive their owner
}

Result<void> HttpServer::listen(int socket, int family) {
  impl_->close_acceptor();
  error_code error;
  impl_->acceptor.assign({family, 0}, socket, error);
  if (error) {
    ::close(socket);
    return failure(error.message(), "", "");
  }
  impl_->accept();
  return {};
}

bool HttpServer::listening() const { return impl_->acceptor.is_open(); }

std::uint16_t HttpServer::port() const {
  error_code error;
  const auto at = impl_->acceptor.local_endpoint(error);
  if (error) return 0;
  if (at.data()->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(at.data())->sin_port);
  if (at.data()->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(at.data())->sin6_port);
  return 0;
}

void HttpServer::stop() { impl_->stop(); }

}  // namespace nuropb
