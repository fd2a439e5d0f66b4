#pragma once
// How many messages and bytes a second somebody may send: a token bucket for each, and one more of the same size and
// rate for patience.
//
// What is over the rate is refused and costs nothing of it, so that who sends twice too fast has every other message
// taken. Each refusal costs patience instead: who goes on at more than twice the rate has used it up after a while, and
// is told so. Pure; one thread per limit.

#include <cstddef>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb {

/// A rate of 0 is none. A burst of 0 is one second's worth.
struct Rates {
  std::uint32_t messages_per_s = 0, messages_burst = 0;
  std::uint32_t bytes_per_s = 0, bytes_burst = 0;
  [[nodiscard]] bool any() const { return messages_per_s > 0 || bytes_per_s > 0; }
};

class RateLimit {
 public:
  enum class Over : std::uint8_t { nothing, messages, bytes };
  struct Answer {
    Over over = Over::nothing;     ///< the rate that the message was over
    bool out_of_patience = false;  ///< it has been so for too long
  };

  /// Counts one message. One that is larger than the whole burst passes when nothing else did lately.
  Answer take(const Rates& rates, SteadyTime now, std::size_t bytes);
  /// True once all is as if it had never been used.
  [[nodiscard]] bool rested(SteadyTime now) const;

 private:
  /// A bucket, known by the time when it will be full again.
  struct Bucket {
    SteadyTime full_at{};
    [[nodiscard]] bool has(std::uint64_t amount, std::uint32_t rate, std::uint32_t burst, SteadyTime now) const;
    void take(std::uint64_t amount, std::uint32_t rate, SteadyTime now);
  };
  Bucket messages_, bytes_, patience_messages_, patience_bytes_;
};

}  // namespace nuropb
