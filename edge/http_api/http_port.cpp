#include "edge/http_api/http_port.hpp"

#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <utility>

#include "common/listening_socket.hpp"

namespace nuropb::edge {

HttpPort::HttpPort(boost::asio::io_context& io, Settings settings, HttpServer::OnHead on_head,
                   HttpServer::OnRequest on_request, HttpServer::OnCheck on_check)
    : settings_(std::move(settings)),
      server_(io, settings_.server, {std::move(on_head), std::move(on_request), std::move(on_check)}) {}

std::string HttpPort::listen() {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(settings_.address, error);
  if (error) return settings_.section + ".address '" + settings_.address + "' is not an IP address";
  const auto wrong = [&](const std::string& why) {
    return "can't listen for " + settings_.server.clients + " on " + settings_.address + " port " +
           std::to_string(settings_.port) + ": " + why;
  };
  auto claim = PortClaim::take(address.to_string(), settings_.port, settings_.gateway);
  if (!claim) return wrong(claim.error().what);
  claim_ = std::move(*claim);
  // Every edge binds the same port, and the kernel distributes connections among them.
  const auto socket = listening_socket({settings_.address, settings_.port, SOMAXCONN, true});
  if (!socket) return wrong(socket.error().what);
  if (const auto listens = server_.listen(*socket, address.is_v6() ? AF_INET6 : AF_INET); !listens)
    return wrong(listens.error().what);
  return {};
}

void HttpPort::stop() {
  server_.stop();
  claim_.release();
}

}  // namespace nuropb::edge
