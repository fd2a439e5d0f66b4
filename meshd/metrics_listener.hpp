#pragma once
// The page of metrics and the gateway's health over TCP (metrics.listen), for clients that can't ask over a Unix socket:
// Prometheus, load balancers. It tells, and does nothing: operations stay on the admin socket.
//
//   curl http://127.0.0.1:9464/metrics        /healthz: meshd lives        /readyz: the gateway may be sent consumers
//
// Owner thread: that of the io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "common/http/server.hpp"
#include "common/result.hpp"
#include "meshd/pages.hpp"

namespace nuropb::meshd {

class MetricsListener {
 public:
  /// `address` is "HOST:PORT", an IP address; empty: it listens nowhere.
  MetricsListener(boost::asio::io_context& io, std::string address, Pages pages);
  Result<void> start();
  /// 0: it does not listen.
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }

 private:
  std::string address_;
  HttpServer server_;
};

}  // namespace nuropb::meshd
