#pragma once
// The operators' interface of meshd: HTTP over the Unix socket `admin.sock` in gateway.runtime_dir, whose mode keeps
// other users out. If edges run as meshd's own user, the mode does not keep them out; so everything that changes
// something or shows a client requires the key in the file `admin.key` beside it, which no edge can open. Metrics and
// health do not require it.
//
//   curl --unix-socket RUNTIME_DIR/admin.sock http://meshd/metrics        /healthz, /readyz
//   key="Authorization: Bearer $(cat RUNTIME_DIR/admin.key)"
//   curl --unix-socket RUNTIME_DIR/admin.sock -H "$key" http://meshd/operations/sessions -d '{"limit": 10}'
//   curl -N --unix-socket RUNTIME_DIR/admin.sock -H "$key" http://meshd/tap -d '{"user_id": "ann"}'
//
// The response to a tap is an endless stream of lines (common/http/line_stream.hpp). Owner thread: the io_context's.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.hpp"
#include "meshd/pages.hpp"
#include "meshd/taps.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::meshd {

class AdminSocket {
 public:
  struct Answer {
    bool good = true;  ///< true: 200; false: 400
    std::string json;
  };
  /// All callbacks run on the io_context's thread.
  struct Callbacks {
    Pages pages;
    /// POST /operations/<name> with its JSON body. The answer has to be given exactly once, immediately or later.
    std::function<void(const std::string& name, const std::string& body, std::function<void(Answer)>)> operate;
    /// Whether this process is rejected. If edges run as meshd's own user, the socket's mode does not keep them out.
    std::function<bool(pid_t)> refuses{};
    /// POST /tap: starts a stream of lines to the reader; or returns the refusal.
    std::function<std::optional<Answer>(const std::string& body, std::shared_ptr<Taps::Reader>)> tap{};
  };
  struct Place {
    std::string path;
    std::string key;
  };
  /// `largest_body` limits the body of a POST.
  AdminSocket(boost::asio::io_context& io, Place place, std::size_t largest_body, Callbacks callbacks);
  ~AdminSocket();

  /// Replaces a predecessor's socket file: the holder of the control socket is the only meshd here.
  Result<void> start();
  /// Whether the socket's path still leads to it.
  [[nodiscard]] bool there() const;
  /// Number of requests without a valid key.
  [[nodiscard]] std::uint64_t refused() const;
  /// Continues with a socket that was created again at the same path.
  Result<void> take(Result<shm::UniqueFd> fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::meshd
