#pragma once
// What meshd tells those who run it: HTTP over the Unix socket `admin.sock` in gateway.runtime_dir, whose mode keeps
// everybody else out.
//
//   curl --unix-socket RUNTIME_DIR/admin.sock http://meshd/metrics
//
// One answer to a connection. A few connections at a time, each for a few seconds, so that nobody who asks can hold
// anything up. Owner thread: that of the io_context.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "common/result.hpp"

namespace nuropb::meshd {

class AdminSocket {
 public:
  /// `metrics` gives the page in Prometheus' text format; it is called on the io_context's thread.
  AdminSocket(boost::asio::io_context& io, std::string path, std::function<std::string()> metrics);
  ~AdminSocket();

  /// Takes over a socket file that a predecessor left: whoever holds the control socket is the only meshd here.
  Result<void> start();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb::meshd
