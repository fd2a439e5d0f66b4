#pragma once
// Limits the messages and bytes per second of one sender. Each rate has a token bucket, and a second bucket of the same
// size and rate as a penalty budget.
//
// A message over the rate is refused and takes no tokens, so a sender at twice the rate still gets every other message
// through. Each refusal takes from the penalty budget instead; a sender that stays above twice the rate exhausts it,
// and the answer says so. Pure; confined to one thread.

#include <cstddef>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb {

/// A rate of 0 means unlimited. A burst of 0 means one second's worth.
struct Rates {
  std::uint32_t messages_per_s = 0, messages_burst = 0;
  std::uint32_t bytes_per_s = 0, bytes_burst = 0;
  [[nodiscard]] bool any() const { return messages_per_s > 0 || bytes_per_s > 0; }
};

class RateLimit {
 public:
  enum class Over : std::uint8_t { nothing, messages, bytes };
  struct Answer {
    Over over = Over::nothing;     ///< the rate that the message exceeded
    bool out_of_patience = false;  ///< the penalty budget is exhausted
  };

  /// Counts one message. A message larger than the whole burst passes if the bucket is full.
  Answer take(const Rates& rates, SteadyTime now, std::size_t bytes);
  /// Whether the state is the same as that of a new object.
  [[nodiscard]] bool rested(SteadyTime now) const;

 private:
  /// A token bucket, represented by the time at which it will be full again.
  struct Bucket {
    SteadyTime full_at{};
    [[nodiscard]] bool has(std::uint64_t amount, std::uint32_t rate, std::uint32_t burst, SteadyTime now) const;
    void take(std::uint64_t amount, std::uint32_t rate, SteadyTime now);
  };
  Bucket messages_, bytes_, penalty_messages_, penalty_bytes_;
};

}  // namespace nuropb
