#pragma once
// Logs refused tokens at a limited rate, because clients can cause any number of refusals: a few at once, then a few
// per second of each kind, each with the number of suppressed lines. The address, or the user, is included so that an
// operator can block the source.
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

  /// `address` is the client's; "" if it is no longer known. `user` is "" if it is not known yet. Returns true if a
  /// line was logged.
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
