#pragma once
// The page of metrics and the gateway's health over TCP (metrics.listen), for those that can't ask over a Unix socket:
// Prometheus, load balancers. It tells, and does nothing: operations stay on the admin socket.
//
//   curl http://127.0.0.1:9464/metrics        /healthz: meshd lives        /readyz: the gateway may be sent consumers
//
// Owner thread: that of the io_context.

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "common/result.hpp"
#include "meshd/pages.hpp"

namespace nuropb::meshd {

class MetricsListener {
 public:
  /// `address` is "HOST:PORT", an IP address; empty: nobody listens.
  MetricsListener(boost::asio::io_context& io, std::string address, Pages pages);
  ~MetricsListener();
  Result<void> start();
  /// 0: nobody listens.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb::meshd
