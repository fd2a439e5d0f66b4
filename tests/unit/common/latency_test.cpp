#include "common/latency.hpp"

#include <gtest/gtest.h>

namespace nuropb::latency {
namespace {

TEST(Latency, BucketsAreWhatTheirBoundsSay) {
  const auto by_search = [](std::uint64_t us) {
    std::size_t bucket = 0;
    while (bucket < bounds_us.size() && us > bounds_us[bucket]) ++bucket;
    return bucket;
  };
  EXPECT_EQ(bucket_of(0), 0u);
  EXPECT_EQ(bucket_of(UINT64_MAX), bounds_us.size());
  for (const std::uint64_t bound : bounds_us) {
    for (const std::uint64_t us : {bound - 1, bound, bound + 1}) EXPECT_EQ(bucket_of(us), by_search(us)) << us;
  }
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t us = std::uint64_t{1} << bit;
    EXPECT_EQ(bucket_of(us), by_search(us)) << us;
    EXPECT_EQ(bucket_of(us - 1), by_search(us - 1)) << us - 1;
  }
}

TEST(Latency, BetweenIsBoundedWhateverAStrangerWrites) {
  EXPECT_EQ(between(5, 7), 2u);
  EXPECT_EQ(between(7, 5), 0u);
  EXPECT_EQ(between(0, UINT64_MAX), 86'400'000'000u);
  EXPECT_EQ(between(UINT64_MAX, 5), 0u);
}

}  // namespace
}  // namespace nuropb::latency
