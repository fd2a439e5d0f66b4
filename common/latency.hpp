#pragma once
// Latency histograms with the same buckets everywhere: edges count in shared memory (shm/layout.hpp), meshd in its own
// arrays, and the /metrics endpoint adds them up. Pure; all durations are microseconds.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb::latency {

/// Inclusive upper bounds, as in Prometheus; one more bucket follows for longer durations. A change must bump shm::abi.
inline constexpr std::array<std::uint64_t, 19> bounds_us{
    50,      100,     250,     500,       1'000,     2'500,     5'000,      10'000,     25'000,    50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
inline constexpr std::size_t buckets = bounds_us.size() + 1;

namespace detail {
/// The first possible bucket by the bit width of a duration. At most two more buckets have to be checked.
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

/// The stages of a request. The edge's stages are counted in its segment.
enum class EdgeStage : std::size_t {
  /// From reading the message off the socket until it is processed; short unless the socket is paused.
  edge_in,
  /// From meshd's receipt of the response until the edge takes it out of the return ring.
  return_ring,
  /// From then until it is handed to its socket.
  edge_out,
  /// The whole time.
  whole,
  count_
};
enum class MeshStage : std::size_t {
  request_ring,  ///< from when the edge writes the record until meshd reads it
  broker,        ///< from then until the broker confirms the message
  service,       ///< from then until meshd receives the response
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
/// The time between two moments, clamped to the range of 0 to one day, because one of them may come from an untrusted
/// process.
constexpr std::uint64_t between(std::uint64_t from_us, std::uint64_t to_us) {
  constexpr std::uint64_t day = 86'400'000'000;
  return to_us <= from_us ? 0 : to_us - from_us < day ? to_us - from_us : day;
}

}  // namespace nuropb::latency
