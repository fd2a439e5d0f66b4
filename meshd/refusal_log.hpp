#pragma once
// The lines about tokens that are refused, which strangers can cause as often as they like: a few at once, then a few in a
// second of each kind, each with how many were left out since the one before. The address, or the user, is there for an
// operator who wants to block somebody.
//
// Owner thread: the ring loop.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/rate_limit.hpp"

namespace nuropb::meshd {

class RefusalLog {
 public:
  static constexpr std::uint32_t at_once = 20, per_second = 5;
  enum class Kind : std::uint8_t { session, unavailable, authorize, resume };

  /// `address`: of the client, "" where it is not known any more. `user`: "" for one who is not known yet.
  /// True if there was a line.
  bool tell(Kind kind, SteadyTime now, const SessionId& session, std::string_view address, std::string_view user,
            std::string_view reason);

 private:
  struct Lines {
    RateLimit limit;
    std::uint64_t left_out = 0;
  };
  std::array<Lines, 4> lines_;
};

}  // namespace nuropb::meshd
