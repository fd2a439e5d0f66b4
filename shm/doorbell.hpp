#pragma once
// Wakes the other side of a ring when it sleeps: one pipe in each direction.
//
// Why not an eventfd: its flags and its counter are shared by both sides, so a hostile edge could make meshd block in a
// write. Each end of a pipe has its own flags. Why not a byte on the control socket: it costs the kernel twice the
// time.
//
// The two sides still share the kernel's lock of the pipe, which is held while the kernel copies. A hostile edge can
// prolong that by the time that its own memory takes to be paged in, so a pipe is one page, and edges may not enlarge
// theirs (common/sandbox_calls.cpp): meshd waits for one page of the edge at most.
//
// A doorbell does not detect death; the control socket does. A full pipe or a missing reader is not an error: in the
// first case the reader has wake-ups pending, in the second no one is left to wake. SIGPIPE must be ignored by the
// process.

#include <optional>
#include <utility>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::shm {

/// One side's ends. Only wait() blocks on the other side.
class Doorbell {
 public:
  Doorbell() = default;
  /// `heard` is rung by the other side, `rung` wakes the other side. Both must be non-blocking, as pair() creates them.
  Doorbell(UniqueFd heard, UniqueFd rung) : heard_(std::move(heard)), rung_(std::move(rung)) {}

  /// The ends of both sides; the second is to be handed over.
  static Result<std::pair<Doorbell, Doorbell>> pair();

  void ring();
  /// Becomes readable when rung; for poll or epoll. -1 if there is none.
  [[nodiscard]] int fd() const { return heard_.get(); }
  /// The end that ring() writes to, to be handed over with fd().
  [[nodiscard]] int ring_fd() const { return rung_.get(); }
  /// Reads the pending wake-ups, at most `at_once`, and returns their number. Empty if the other side has closed. Edges
  /// and meshd let Asio read fd() instead: each byte is one wake-up.
  static constexpr int at_once = 64;
  std::optional<int> hear();

  /// For a thread with nothing else to wait for: sleeps until rung and consumes the wake-up, in one system call. From
  /// the first call on hear() blocks as well. Returns false if the other side has closed.
  bool wait();

 private:
  UniqueFd heard_, rung_;
  bool waits_ = false;
};

}  // namespace nuropb::shm
