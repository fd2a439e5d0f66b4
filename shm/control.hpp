#pragma once
// The Unix control socket between meshd and its workers: handshake and death detection in one descriptor.
//
//   edge                                        meshd
//    │ connect (SOCK_SEQPACKET)                   │ accept, SO_PEERCRED
//    │ Hello {magic, abi, ticket}  ──────────────►│ SCM_CREDENTIALS; checks; picks slot and generation
//    │◄────────  Welcome {slot, generation, ticket} + descriptors of M, E and the doorbell
//    │ HUP = the other side is dead               │
//
// All operations are non-blocking (MSG_DONTWAIT), and none loops on a peer's behaviour; the caller's event loop waits
// for readiness of fd(). Independent of WebSocket, AMQP and Asio. Owner thread: that loop's.

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
  std::string ticket;  ///< empty, or the ticket of an earlier meshd, which claims the same slot and generation
};

struct Welcome {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::string ticket;  ///< opaque to the edge, at most 512 bytes
};

struct Refusal {
  std::string reason;  ///< "ABI 2 is not ABI 1", "all 32 worker slots are taken"
};

/// The process at the other end, as the kernel reports it.
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

  /// Edge: connects to meshd. Fails at once if nothing listens.
  static Result<ControlChannel> connect(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool open() const { return static_cast<bool>(fd_); }
  void close() { fd_.reset(); }
  /// The process that connected.
  [[nodiscard]] Result<PeerCredentials> peer() const;

  Result<void> send_hello(const Hello& hello);
  /// `theirs`: the edge's ends of the doorbell.
  Result<void> send_welcome(const Welcome& welcome, int fd_m, int fd_e, const Doorbell& theirs);
  Result<void> send_refusal(const Refusal& refusal);

  /// One received message.
  struct Received {
    enum class What { nothing, hello, welcome, refusal, closed, rubbish } what = What::nothing;
    Hello hello;
    Welcome welcome;
    Refusal refusal;
    UniqueFd fd_m, fd_e;  ///< with a welcome
    Doorbell bell;        ///< the same
    std::string rubbish;  ///< what was wrong with it, for the log
    /// The process that sent it, as the kernel reports it. It may differ from the one that connected
    /// (edge/process/control_dialer.hpp). meshd's side only.
    std::optional<PeerCredentials> sender;
  };
  /// Never blocks. Descriptors that arrive with anything but a welcome are closed.
  Received receive();

 private:
  UniqueFd fd_;
};

/// Creates a listening Unix socket at a path, replacing what is there; non-blocking, close-on-exec. For type
/// SOCK_SEQPACKET the kernel reports the sender of each packet.
Result<UniqueFd> listen_at(const std::string& path, int type, mode_t mode);

/// meshd: the listening socket. Removes a stale socket file and refuses to replace a live one; mode 0600 unless told
/// otherwise.
class ControlListener {
 public:
  static Result<ControlListener> listen(const std::string& path, mode_t mode = 0600);
  ControlListener(ControlListener&&) = default;
  ControlListener& operator=(ControlListener&&) = default;
  ~ControlListener();
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Empty if no connection is pending.
  std::optional<ControlChannel> accept();
  /// Whether the path still leads to this socket. Other programs may remove it, for example cleaners of /run and /tmp.
  [[nodiscard]] bool there() const;
  /// Listens at the same path again, with the descriptor that `make` returns. Fails without calling `make` if another
  /// nuropb-meshd has taken the path.
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
