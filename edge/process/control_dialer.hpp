#pragma once
// Connects to meshd's control socket on behalf of an edge, which may not call connect() itself (common/sandbox.hpp):
//
//   edge ── one byte ──────────────────────►  dialer     (a pair of sockets; closed by the edge's end, which is the dialer's too)
//        ◄── a connected socket, or why not ──
//
// An edge that could call connect() would reach every Unix socket of its user, including meshd's admin socket, and
// could turn an accepted TCP socket into a connection to another host. The dialer's path is fixed before the first
// client connects, and its system call filter permits only sockets of the control socket's type (SOCK_SEQPACKET): a
// compromised edge gets nothing from it that it does not have already, a connection to meshd.
//
// It connects at most 25 times a second, so that such an edge cannot use it to keep meshd busy.

#include <optional>
#include <string>

#include "common/result.hpp"
#include "common/sandbox.hpp"
#include "shm/control.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::edge {

class ControlDialer {
 public:
  struct Settings {
    std::string folder;                       ///< gateway.runtime_dir
    std::optional<sandbox::Identity> user{};  ///< the user that the edge switches to; empty: it keeps its user
    bool seccomp = true;
  };
  /// Starts the process. The edge must have one thread at that time.
  static Result<ControlDialer> start(const Settings& settings);

  /// Connects to meshd. Waits at most a tenth of a second for the dialer; a later answer is used by the next call.
  Result<shm::ControlChannel> connect();
  /// True once connect() can never succeed again.
  [[nodiscard]] bool gone() const { return !socket_; }

 private:
  Result<shm::ControlChannel> lost();
  shm::UniqueFd socket_;
  bool asked_ = false;  // a request is unanswered
};

}  // namespace nuropb::edge
