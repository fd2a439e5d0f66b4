#pragma once
// Backends' calls by HTTP (nuropb-wire.md section 3): POST /backend with a key. The edge passes envelopes on; meshd checks the key
// and answers.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>

#include "common/config.hpp"
#include "edge/http_api/http_port.hpp"

namespace nuropb::edge {

class MeshdCalls;
class MeshLink;

class BackendEndpoint {
 public:
  BackendEndpoint(const Config& config, boost::asio::io_context& io, MeshdCalls& calls, MeshLink& link)
      : config_(config), io_(io), calls_(calls), link_(link) {}

  /// Starts to listen, if the config says so.
  Result<void> start();
  /// 0: it does not listen.
  [[nodiscard]] std::uint16_t port() const { return port_ ? port_->port() : 0; }
  /// No new connections and requests from now on.
  void stop() {
    if (port_) port_->stop();
  }

 private:
  void check(const HttpServer::Request& request, HttpServer::Checked checked);
  void on_request(HttpServer::Request request, HttpServer::Respond respond);
  [[nodiscard]] milliseconds timeout() const { return milliseconds(config_.backend.timeout_ms); }

  const Config& config_;
  boost::asio::io_context& io_;
  MeshdCalls& calls_;
  MeshLink& link_;
  std::unique_ptr<HttpPort> port_;  // nullptr: it does not listen
};

}  // namespace nuropb::edge
