#pragma once
// Switches a thread to SCHED_BATCH under load.
//
// With little load the thread is scheduled normally: waking up preempts whatever runs on the core, so that a response
// does not wait for another thread's time slice. Under high load that is expensive: each incoming message preempts the
// threads that are producing the next ones, and every thread's batches get small. The thread then asks to be scheduled
// as a batch (SCHED_BATCH, sched(7)), so that it waits for a free core. bench/README.md has the measurements.
//
// A thread that was started with another policy than SCHED_OTHER keeps it.

#include <cstddef>

#include "common/clock.hpp"

namespace nuropb {

/// Constructed by the thread itself or by its creator; used by the thread only.
class SchedulingByLoad {
 public:
  /// `window` messages in less than `busy` switch to batch; in more than `calm` back to normal; in between nothing
  /// changes.
  static constexpr std::size_t window = 512;
  static constexpr auto busy = milliseconds(100);
  static constexpr auto calm = milliseconds(250);

  /// `clock` must outlive the object.
  explicit SchedulingByLoad(const Clock& clock);

  /// The thread has processed this many more messages.
  void handled(std::size_t messages) {
    handled_ += messages;
    if (handled_ >= window) [[unlikely]]
      look();
  }
  /// To be called at least once a second, also when there were no messages.
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
