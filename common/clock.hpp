#pragma once
// The source of time is an interface, so that tests advance a clock instead of sleeping.

#include <chrono>
#include <cstdint>

namespace nuropb {

/// CLOCK_MONOTONIC: the same on every process of one host, so deadlines can cross the rings.
using SteadyTime = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual SteadyTime now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return std::chrono::steady_clock::now(); }
};

/// A clock that tests advance by hand.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] SteadyTime now() const override { return now_; }
  void advance(std::chrono::steady_clock::duration by) { now_ += by; }

 private:
  SteadyTime now_{std::chrono::seconds(1'000'000)};
};

/// A point in time as it travels in ring records: whole milliseconds of CLOCK_MONOTONIC.
inline std::uint64_t to_ring_ms(SteadyTime t) {
  const auto ms = std::chrono::duration_cast<milliseconds>(t.time_since_epoch()).count();
  return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}
inline SteadyTime from_ring_ms(std::uint64_t ms) {
  // A forged value must not overflow the clock's nanoseconds.
  constexpr std::uint64_t far_future = 1ULL << 43;
  return SteadyTime(milliseconds(ms < far_future ? ms : far_future));
}

}  // namespace nuropb
