#pragma once
// Rounds of a transport between two processes, and what is made of their times.

#include <cstdint>
#include <vector>

#include "bench/ring/transport.hpp"

namespace nuropb::bench {

/// ns per message of one round of `count` messages: a fresh transport, a forked sender, this process receives.
double run_round(Factory make, std::size_t size, std::uint64_t count);

/// A count with which a round lasts about so long, found by a short round that also warms everything up.
std::uint64_t count_for(Factory make, std::size_t size, double milliseconds);

struct Spread {
  double median = 0, min = 0, max = 0;
};
Spread spread_of(std::vector<double> values);

}  // namespace nuropb::bench
