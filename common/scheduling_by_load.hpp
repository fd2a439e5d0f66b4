#pragma once
// Whether a thread that is woken takes a core from whoever runs there.
//
// With little to do it does, as any thread: an answer is not to wait for another's time slice. With much to do that is
// dear: each message that comes in stops those who are about to make the next ones, and everybody's batches are small. Then
// the thread asks to be scheduled as a batch (SCHED_BATCH, sched(7)): it runs once a core is free, or has run long enough.
// bench/README.md has what that brought.
//
// A thread that was started with another policy than the usual one keeps it.

#include <cstddef>

#include "common/clock.hpp"

namespace nuropb {

/// Made and used by the thread itself, or made by who starts it.
class SchedulingByLoad {
 public:
  /// So many messages in less than `busy`: as a batch. In more than `calm`: as usual. Between them as before.
  static constexpr std::size_t window = 512;
  static constexpr auto busy = milliseconds(100);
  static constexpr auto calm = milliseconds(250);

  /// `clock` has to outlive it.
  explicit SchedulingByLoad(const Clock& clock);

  /// The thread has done so many messages more.
  void handled(std::size_t messages) {
    handled_ += messages;
    if (handled_ >= window) [[unlikely]]
      look();
  }
  /// Now and then, at least once a second: there may have been none.
  void tick();

 private:
  void look();
  void become(bool batch);

  const Clock& clock_;
  const bool usual_;
  bool batch_ = false;
  std::size_t handled_ = 0;
  SteadyTime since_;
};

}  // namespace nuropb
