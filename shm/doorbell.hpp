#pragma once
// How one side of a ring wakes the other when that sleeps: a pipe each way.
//
// Not an eventfd: whether it blocks, and how far it has counted, belongs to both sides, so a hostile edge could make meshd wait
// in a write. An end of a pipe has its own flags, and the other end is the other's. Not a byte on the control socket either:
// the kernel takes twice the time for one.
//
// What both sides do share is the kernel's lock of the pipe, which one holds while the kernel copies for it. A hostile edge can
// make that as long as its own memory takes to come, so a pipe is one page, and edges may not make theirs larger
// (common/sandbox_calls.cpp): meshd waits for a page of the edge's at most.
//
// Says nothing of death: that is the control socket's. A ring that finds its pipe full, or its reader gone, is no
// error: the first has bells enough to hear, the second nobody to hear them. SIGPIPE has to be ignored by the process.

#include <optional>
#include <utility>

#include "common/result.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::shm {

/// One side's ends. No operation but wait() waits for the other side to ring, to hear, or to live.
class Doorbell {
 public:
  Doorbell() = default;
  /// `heard`: what the other side rings. `rung`: what it hears. Both are to be non-blocking, as pair() makes them.
  Doorbell(UniqueFd heard, UniqueFd rung) : heard_(std::move(heard)), rung_(std::move(rung)) {}

  /// Both sides' ends; the second is handed over.
  static Result<std::pair<Doorbell, Doorbell>> pair();

  void ring();
  /// Readable once rung; for a loop's poll or epoll. -1: none.
  [[nodiscard]] int fd() const { return heard_.get(); }
  /// The end that is rung, to be handed over with fd().
  [[nodiscard]] int ring_fd() const { return rung_.get(); }
  /// Hears what was rung, at most `at_once` bells, and counts them. Nothing: the other side has closed it. Edges and meshd have
  /// Asio read fd() instead: each byte is a bell.
  static constexpr int at_once = 64;
  std::optional<int> hear();

  /// For a thread that has nothing else to wait for: sleeps until it is rung, and hears it, by one system call. From
  /// the first call on hear() blocks as well. False: the other side has closed it.
  bool wait();

 private:
  UniqueFd heard_, rung_;
  bool waits_ = false;
};

}  // namespace nuropb::shm
