#pragma once
// The console: a page from this edge, and its way to meshd for the gateway's figures. The edge grants the page nothing that it could
// not do from elsewhere: it serves fixed files, and passes a token and a request on to meshd, which checks both. The page itself
// is a client like any other.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "common/config.hpp"
#include "edge/http_api/http_port.hpp"

namespace nuropb::edge {

class MeshdCalls;

class ConsoleEndpoint {
 public:
  /// `socket_port`: where the page finds the WebSockets of this gateway.
  ConsoleEndpoint(const Config& config, boost::asio::io_context& io, MeshdCalls& calls,
                  std::function<std::uint16_t()> socket_port)
      : config_(config), io_(io), calls_(calls), socket_port_(std::move(socket_port)) {}

  /// Starts to listen, if the config says so.
  Result<void> start();
  /// 0: it does not listen.
  [[nodiscard]] std::uint16_t port() const { return port_ ? port_->port() : 0; }
  /// No new connections and requests from now on.
  void stop() {
    if (port_) port_->stop();
  }
  /// Whether a handshake with this origin comes from the console's page.
  [[nodiscard]] bool is_origin(std::string_view origin) const;

 private:
  [[nodiscard]] std::optional<HttpAnswer> refusal_of_head(const RequestHead& head, HttpServer::Request& request) const;
  void on_request(HttpServer::Request request, HttpServer::Respond respond);
  [[nodiscard]] HttpAnswer page(const HttpServer::Request& request) const;

  const Config& config_;
  boost::asio::io_context& io_;
  MeshdCalls& calls_;
  std::function<std::uint16_t()> socket_port_;
  std::unique_ptr<HttpPort> port_;  // nullptr: it does not listen
};

}  // namespace nuropb::edge
