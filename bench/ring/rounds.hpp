#pragma once
// Rounds of a transport between two processes, and statistics of their times.

#include <cstdint>
#include <vector>

#include "bench/ring/transport.hpp"

namespace nuropb::bench {

/// Where the two run: on a core each, or both on one. Never left to the scheduler, which changes its mind between
/// rounds.
enum class Cores { own, one };

struct Round {
  double ns = 0;  ///< per message
  bool disturbed =
      false;  ///< on cores of their own: one of the two had to wait for its own while another process had it
};

/// One round of `count` messages: a new transport, a forked sender; this process receives.
Round run_round(Factory make, std::size_t size, std::uint64_t count, Cores cores);

/// Finds the count with which a round lasts about this long, by a short round that is also the warm-up.
std::uint64_t count_for(Factory make, std::size_t size, double milliseconds, Cores cores);

struct Spread {
  double value = 0, min = 0, max = 0;
};
/// The value that a fraction `quantile` of them does not exceed, the minimum and the maximum.
Spread spread_of(std::vector<double> values, double quantile);

}  // namespace nuropb::bench
