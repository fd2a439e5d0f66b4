#pragma once
// Rate limit for a log line that untrusted input can provoke: one line per interval is written, with the number of
// suppressed ones.
//
//   if (const auto left_out = pause_.due(now)) log::warning("malformed message", {{"reason", why}, {"left_out", *left_out}});
//
// Confined to one thread.

#include <cstdint>
#include <optional>

#include "common/clock.hpp"

namespace nuropb::log {

class Pause {
 public:
  explicit Pause(milliseconds between) : between_(between) {}

  /// Whether to write a line now: the number of lines suppressed since the last one that was written, or nothing if
  /// this one is suppressed too.
  std::optional<std::uint64_t> due(SteadyTime now) {
    if (last_ && now - *last_ < between_) {
      ++left_out_;
      return {};
    }
    last_ = now;
    const std::uint64_t out = left_out_;
    left_out_ = 0;
    return out;
  }

 private:
  milliseconds between_;
  std::optional<SteadyTime> last_;
  std::uint64_t left_out_ = 0;
};

}  // namespace nuropb::log
