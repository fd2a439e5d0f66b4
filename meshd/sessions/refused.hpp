#pragma once
// Counters of what clients are refused by meshd. What edges refuse by themselves is in EdgeCounts (metrics.hpp).

#include <cstdint>

namespace nuropb::meshd {

/// What was over a limit that meshd watches.
struct RefusedByLimit {
  std::uint64_t connections = 0, user_messages = 0, user_bytes = 0, subscriptions = 0, user_subscriptions = 0,
                user_pending = 0;
};

/// Tokens and sessions that were refused, or ended, for who their user is.
struct AuthFailures {
  std::uint64_t refused = 0, unavailable = 0, other_user = 0, expired = 0, revoked = 0;
};

}  // namespace nuropb::meshd
