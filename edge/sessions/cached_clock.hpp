#pragma once
// The time of the message at hand: read once when it arrives, and used for all that is stamped with it.
//
// Owner thread: the edge's io_context.

#include "common/clock.hpp"

namespace nuropb::edge {

class CachedClock final : public Clock {
 public:
  explicit CachedClock(const Clock& clock) : clock_(clock) {}

  /// Reads the clock: messages that are processed until the next call are stamped with this time.
  SteadyTime refresh() { return moment_ = clock_.now(); }
  [[nodiscard]] SteadyTime moment() const { return moment_; }
  /// The time of now, without a change of moment().
  [[nodiscard]] SteadyTime now() const override { return clock_.now(); }

 private:
  const Clock& clock_;
  SteadyTime moment_{};
};

}  // namespace nuropb::edge
