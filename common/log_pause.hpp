#pragma once
// For a line that others can cause as often as they like: one in a while is written, and it tells how many were not.
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

  /// How many were left out since the last line that was written, if this one is to be written; else it is left out.
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
