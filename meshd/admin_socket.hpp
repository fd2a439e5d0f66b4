#pragma once
// What meshd tells those who run it, and does for them: HTTP over the Unix socket `admin.sock` in gateway.runtime_dir,
// whose mode keeps everybody else out.
//
//   curl --unix-socket RUNTIME_DIR/admin.sock http://meshd/metrics        /healthz, /readyz
//   curl --unix-socket RUNTIME_DIR/admin.sock http://meshd/operations/sessions -d '{"limit": 10}'
//   curl -N --unix-socket RUNTIME_DIR/admin.sock http://meshd/tap -d '{"user_id": "ann"}'
//
// One answer to a connection (one_answer.hpp); to a tap, lines without end, of which those are left out and counted that its
// reader does not take. Owner thread: that of the io_context.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "meshd/pages.hpp"
#include "meshd/taps.hpp"

namespace nuropb::meshd {

class AdminSocket {
 public:
  struct Answer {
    bool good = true;  ///< 200; else 400
    std::string json;
  };
  /// All are called on the io_context's thread.
  struct Callbacks {
    Pages pages;
    /// POST /operations/<name>: the operation, and its JSON; the answer once, from there or later.
    std::function<void(const std::string& name, const std::string& body, std::function<void(Answer)>)> operate;
    /// Whether this process is turned away. Where edges are of meshd's own user, the socket's mode does not keep them out.
    std::function<bool(pid_t)> refuses{};
    /// POST /tap: lines from now on, until the reader leaves; or the answer, if it is no.
    std::function<std::optional<Answer>(const std::string& body, std::shared_ptr<Taps::Reader>)> tap{};
  };
  /// `largest_body` bounds what is read of a POST.
  AdminSocket(boost::asio::io_context& io, std::string path, std::size_t largest_body, Callbacks callbacks);
  ~AdminSocket();

  /// Takes over a socket file that a predecessor left: whoever holds the control socket is the only meshd here.
  Result<void> start();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace nuropb::meshd
