#include "meshd/workers/watermark.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace nuropb::meshd {
namespace {

TEST(Watermark, MovesOnlyOverAnUnbrokenRow) {
  Watermark mark;
  const auto a = mark.begin(100), b = mark.begin(200), c = mark.begin(300);
  mark.finish(b);
  EXPECT_EQ(mark.advance(), std::nullopt);
  mark.finish(a);
  EXPECT_EQ(mark.advance(), 200u);
  EXPECT_EQ(mark.advance(), std::nullopt);
  mark.finish(c);
  EXPECT_EQ(mark.advance(), 300u);
  EXPECT_EQ(mark.unfinished(), 0u);
}

TEST(Watermark, IgnoresOrdinalsThatAreUnknownOrFinishedBefore) {
  Watermark mark;
  mark.finish(0);
  mark.finish(77);
  const auto a = mark.begin(10);
  mark.finish(a);
  EXPECT_EQ(mark.advance(), 10u);
  mark.finish(a);
  const auto b = mark.begin(20);
  EXPECT_EQ(mark.advance(), std::nullopt) << "a late report of the first must not finish the second";
  mark.finish(b);
  EXPECT_EQ(mark.advance(), 20u);
}

TEST(Watermark, AfterResetOldOrdinalsMeanNothing) {
  Watermark mark;
  const auto a = mark.begin(1);
  mark.reset();
  EXPECT_EQ(mark.unfinished(), 0u);
  const auto b = mark.begin(1);
  EXPECT_NE(a, b);
  mark.finish(a);
  EXPECT_EQ(mark.advance(), std::nullopt);
  mark.finish(b);
  EXPECT_EQ(mark.advance(), 1u);
}

TEST(Watermark, InAnyOrderEndsAtTheLastPositionAndNeverOvertakes) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Watermark mark;
    std::vector<std::uint64_t> open;
    const std::uint64_t n = 1 + random() % 50;
    for (std::uint64_t i = 1; i <= n; ++i) open.push_back(mark.begin(i));
    std::vector<bool> done(n + 1, false);
    std::shuffle(open.begin(), open.end(), random);
    std::uint64_t reached = 0;
    for (const auto ordinal : open) {
      mark.finish(ordinal);
      done[ordinal + 1] = true;
      if (const auto moved = mark.advance()) reached = *moved;
      std::uint64_t expected = 0;
      while (expected < n && done[expected + 1]) ++expected;
      ASSERT_EQ(reached, expected);
    }
    ASSERT_EQ(reached, n);
  }
}

}  // namespace
}  // namespace nuropb::meshd
