#pragma once
// Time comes in through an interface, so that tests step it instead of sleeping.

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

/// A clock that moves only when told to.
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
  constexpr std::uint64_t far_future = 1ULL << 43;  // a forged value must not overflow the clock's nanoseconds
  return SteadyTime(milliseconds(ms < far_future ? ms : far_future));
}

}  // namespace nuropb
