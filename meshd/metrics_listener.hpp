#pragma once
// Metrics and health over TCP (metrics.listen), for clients that cannot use a Unix socket: Prometheus, load balancers.
// Read-only: operations are available on the admin socket only.
//
//   curl http://127.0.0.1:9464/metrics        /healthz: meshd lives        /readyz: the gateway accepts clients
//
// Owner thread: the io_context's.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <string>

#include "common/http/server.hpp"
#include "common/result.hpp"
#include "meshd/pages.hpp"

namespace nuropb::meshd {

class MetricsListener {
 public:
  /// `address` is "HOST:PORT" with an IP address; empty: it does not listen.
  MetricsListener(boost::asio::io_context& io, std::string address, Pages pages);
  Result<void> start();
  /// 0 if it does not listen.
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }

 private:
  std::string address_;
  HttpServer server_;
};

}  // namespace nuropb::meshd
