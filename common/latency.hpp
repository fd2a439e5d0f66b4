#pragma once
// How long things take, in buckets that are the same everywhere: edges count into shared memory (shm/layout.hpp), meshd
// into arrays of its own, and the page of metrics adds them up. Pure; microseconds throughout.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb::latency {

/// Upper bounds, inclusive as Prometheus has them; behind the last is one bucket more. A change bumps shm::abi.
inline constexpr std::array<std::uint64_t, 19> bounds_us{
    50,      100,     250,     500,       1'000,     2'500,     5'000,      10'000,     25'000,    50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
inline constexpr std::size_t buckets = bounds_us.size() + 1;

namespace detail {
/// By the number of bits of a duration: the first bucket that it can be in. At most two more have to be looked at.
inline constexpr auto first_bucket = [] {
  std::array<std::uint8_t, 65> out{};
  for (std::size_t bits = 0; bits < out.size(); ++bits) {
    const std::uint64_t least = bits == 0 ? 0 : std::uint64_t{1} << (bits - 1);
    while (out[bits] < bounds_us.size() && bounds_us[out[bits]] < least) ++out[bits];
  }
  return out;
}();
}  // namespace detail

constexpr std::size_t bucket_of(std::uint64_t us) {
  std::size_t bucket = detail::first_bucket[static_cast<std::size_t>(std::bit_width(us))];
  while (bucket < bounds_us.size() && us > bounds_us[bucket]) ++bucket;
  return bucket;
}

/// Where a request's time goes. Those that the edge measures stand in its segment.
enum class EdgeStage : std::size_t {
  edge_in,      ///< from reading the message off the socket until it is taken up: at once, unless it is held back
  return_ring,  ///< from meshd's taking the answer until the edge takes it out of the return ring
  edge_out,     ///< from there until it is handed to its socket
  whole,        ///< all of it
  count_
};
enum class MeshStage : std::size_t {
  request_ring,  ///< from there until meshd has read its record
  broker,        ///< from there until the broker has confirmed the message
  service,       ///< from there until meshd takes the answer
  count_
};

struct Histogram {
  std::array<std::uint64_t, buckets> counts{};
  std::uint64_t sum_us = 0;
  void add(std::uint64_t us) {
    ++counts[bucket_of(us)];
    sum_us += us;
  }
};

/// Microseconds of CLOCK_MONOTONIC, which is the same in all processes of a host.
inline std::uint64_t to_us(SteadyTime t) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
  return us < 0 ? 0 : static_cast<std::uint64_t>(us);
}
/// From one moment to a later one; 0 where they are the other way round, and never more than a day: one of them may have
/// been written by a stranger.
constexpr std::uint64_t between(std::uint64_t from_us, std::uint64_t to_us) {
  constexpr std::uint64_t day = 86'400'000'000;
  return to_us <= from_us ? 0 : to_us - from_us < day ? to_us - from_us : day;
}

}  // namespace nuropb::latency
