#pragma once
// What meshd tells those who run it, and does for them: HTTP over the Unix socket `admin.sock` in gateway.runtime_dir,
// whose mode keeps other users out. Where edges are of meshd's own user, it would not keep them out, so everything that acts
// or shows a client takes the key of the file `admin.key` beside it, which no edge can open. The pages of figures take none.
//
//   curl --unix-socket RUNTIME_DIR/admin.sock http://meshd/metrics        /healthz, /readyz
//   key="Authorization: Bearer $(cat RUNTIME_DIR/admin.key)"
//   curl --unix-socket RUNTIME_DIR/admin.sock -H "$key" http://meshd/operations/sessions -d '{"limit": 10}'
//   curl -N --unix-socket RUNTIME_DIR/admin.sock -H "$key" http://meshd/tap -d '{"user_id": "ann"}'
//
// A tap is answered with lines without end (common/http/line_stream.hpp). Owner thread: that of the io_context.

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
  struct Place {
    std::string path;
    std::string key;
  };
  /// `largest_body` bounds what is read of a POST.
  AdminSocket(boost::asio::io_context& io, Place place, std::size_t largest_body, Callbacks callbacks);
  ~AdminSocket();

  /// Takes over a socket file that a predecessor left: whoever holds the control socket is the only meshd here.
  Result<void> start();
  /// Whether its path still leads here.
  [[nodiscard]] bool there() const;
  /// Requests that did not show the key.
  [[nodiscard]] std::uint64_t refused() const;
  /// Goes on at a socket that was made there again.
  Result<void> take(Result<shm::UniqueFd> fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::meshd
