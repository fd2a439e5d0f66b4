#pragma once
// Detects steps of the wall clock: it has moved by another amount than the monotonic clock, which cannot be set. A
// suspended machine looks the same, because its monotonic clock stops. Slewing, as by NTP for small differences,
// affects both clocks.
//
// Pure except for now(); owner thread: the ring loop.

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb::meshd {

struct Moment {
  std::int64_t wall_ms = 0;  ///< Unix time
  SteadyTime steady{};
  static Moment now() {
    using std::chrono::duration_cast;
    return {duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(),
            std::chrono::steady_clock::now()};
  }
};

/// The monotonic time at which the time that is left until `expires` is over. Bounded like to_ring_ms() and its
/// inverse.
inline SteadyTime steady_end(std::int64_t expires, Moment now) {
  constexpr std::int64_t far_away_s = 1LL << 32;
  const std::int64_t now_s = now.wall_ms / 1000;
  const std::int64_t whole = std::clamp(expires - now_s, std::int64_t{0}, far_away_s);
  return now.steady + std::max(milliseconds(whole * 1000 - now.wall_ms % 1000), milliseconds(0));
}

class ClockSteps {
 public:
  static constexpr std::int64_t least_ms = 1000;  ///< smaller differences are ignored until they add up

  explicit ClockSteps(Moment start) : start_(start) {}
  /// The milliseconds by which the wall clock was set since the last step or since the start; 0: it was not set.
  std::int64_t look(Moment now) {
    const std::int64_t by =
        now.wall_ms - start_.wall_ms - std::chrono::duration_cast<milliseconds>(now.steady - start_.steady).count();
    if (by > -least_ms && by < least_ms) return 0;
    start_ = now;
    ++count_;
    return by;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  Moment start_;
  std::uint64_t count_ = 0;
};

}  // namespace nuropb::meshd
