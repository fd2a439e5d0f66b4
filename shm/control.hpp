#pragma once
// The Unix control socket between meshd and its workers: handshake and death notice in one descriptor.
//
//   edge                                        meshd
//    │ connect (SOCK_SEQPACKET)                   │ accept, SO_PEERCRED
//    │ Hello {magic, abi, ticket}  ──────────────►│ SCM_CREDENTIALS; judges; picks slot and generation
//    │◄────────  Welcome {slot, generation, ticket} + descriptors of M, E and the doorbell
//    │ HUP = the other side is dead               │
//
// All operations are non-blocking (MSG_DONTWAIT) and none loops on a peer's behaviour; waiting for readiness is the
// caller's loop, over fd(). Knows neither WebSocket nor AMQP nor Asio. Owner thread: whoever runs that loop.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "shm/doorbell.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::shm {

struct Hello {
  std::uint32_t abi = 0;
  std::string ticket;  ///< empty, or what an earlier meshd gave us: claims the same slot and generation
};

struct Welcome {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::string ticket;  ///< opaque to the edge, at most 512 bytes
};

struct Refusal {
  std::string reason;  ///< "ABI 2 is not ABI 1", "all 32 worker slots are taken"
};

/// Who is at the other end, as the kernel knows it.
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// One connected control socket, either side.
class ControlChannel {
 public:
  ControlChannel() = default;
  explicit ControlChannel(UniqueFd fd) : fd_(std::move(fd)) {}

  /// Edge: connects to meshd. Fails at once if nobody listens.
  static Result<ControlChannel> connect(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool open() const { return static_cast<bool>(fd_); }
  void close() { fd_.reset(); }
  /// Who has connected.
  [[nodiscard]] Result<PeerCredentials> peer() const;

  Result<void> send_hello(const Hello& hello);
  /// `theirs`: the edge's ends of the doorbell.
  Result<void> send_welcome(const Welcome& welcome, int fd_m, int fd_e, const Doorbell& theirs);
  Result<void> send_refusal(const Refusal& refusal);

  /// What is waiting to be read, one message per call.
  struct Received {
    enum class What { nothing, hello, welcome, refusal, closed, rubbish } what = What::nothing;
    Hello hello;
    Welcome welcome;
    Refusal refusal;
    UniqueFd fd_m, fd_e;  ///< with a welcome
    Doorbell bell;        ///< the same
    std::string rubbish;  ///< what was wrong with it, for the log
    /// Who has sent it, as the kernel knows. Another process may have connected for it (edge/control_dialer.hpp). meshd's
    /// side only.
    std::optional<PeerCredentials> sender;
  };
  /// Never blocks. Descriptors that came with anything but a welcome are closed.
  Received receive();

 private:
  UniqueFd fd_;
};

/// meshd: the listening socket. Removes a stale socket file, refuses to take over a live one; mode 0600 unless told.
/// A Unix socket that listens at a path, over what is there; non-blocking, close-on-exec. Of type SOCK_SEQPACKET, the kernel
/// says of each packet that comes who has sent it.
Result<UniqueFd> listen_at(const std::string& path, int type, mode_t mode);

class ControlListener {
 public:
  static Result<ControlListener> listen(const std::string& path, mode_t mode = 0600);
  ControlListener(ControlListener&&) = default;
  ControlListener& operator=(ControlListener&&) = default;
  ~ControlListener();
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Nothing, if nobody is waiting.
  std::optional<ControlChannel> accept();
  /// Whether the path still leads here. Others can remove it: cleaners of /run and /tmp do.
  [[nodiscard]] bool there() const;
  /// At the same path, with the descriptor that `make` gives. The error says so where another nuropb-meshd has taken the path
  /// meanwhile; then nothing is made.
  Result<void> listen_again(const std::function<Result<UniqueFd>()>& make);

 private:
  ControlListener() = default;
  Result<void> lock();
  Result<void> take(Result<UniqueFd> fd);
  UniqueFd fd_;
  UniqueFd lock_;  ///< a lock file beside the socket: one meshd per path, also against a race
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace nuropb::shm
