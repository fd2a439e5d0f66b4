#pragma once
// Connects to meshd's control socket for an edge that can't connect to anything itself any more (common/sandbox.hpp):
//
//   edge ── one byte ──────────────────────►  dialer     (a pair of sockets; closed by the edge's end, which is the dialer's too)
//        ◄── a connected socket, or why not ──
//
// An edge that could call connect() would reach every Unix socket of its user, meshd's admin socket among them, and could
// turn an accepted TCP socket into one that is connected to another host. The dialer knows one path, from before the first
// client, and its own list of system calls has no other kind of sockets than the control socket's (SOCK_SEQPACKET): an edge
// that was taken over gets from it what it has already, a connection to meshd.
//
// It connects 25 times a second at most, so that such an edge can't use it to keep meshd busy.

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
    std::optional<sandbox::Identity> user{};  ///< whom the edge becomes; nothing: it stays who it is
    bool seccomp = true;
  };
  /// Makes the process. One thread at that time.
  static Result<ControlDialer> start(const Settings& settings);

  /// A connection to meshd. Waits for the dialer for a tenth of a second at most: what it says later is taken at the next call.
  Result<shm::ControlChannel> connect();
  /// Whether connect() can ever succeed again.
  [[nodiscard]] bool gone() const { return !socket_; }

 private:
  Result<shm::ControlChannel> lost();
  shm::UniqueFd socket_;
  bool asked_ = false;  // and not answered yet
};

}  // namespace nuropb::edge
