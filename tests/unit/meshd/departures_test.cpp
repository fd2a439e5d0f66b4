#include "meshd/departures.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

TEST(Departures, ARequestIsMeasuredOnce) {
  Departures all;
  EXPECT_FALSE(all.take(7));
  EXPECT_FALSE(all.confirmed(7, 1));
  all.note(7, 1000, 20);
  EXPECT_EQ(all.confirmed(7, 1300), 300u);
  EXPECT_FALSE(all.confirmed(7, 1400));
  const auto left = all.take(7);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->read_us, 1000u);
  EXPECT_EQ(left->ring_us, 20u);
  EXPECT_EQ(left->broker_us, 300u);
  EXPECT_FALSE(all.take(7));
}

TEST(Departures, GrowWithWhatIsOutstandingAndNoFurther) {
  Departures all;
  for (std::uint64_t i = 0; i < 10 * Departures::least; ++i) {
    all.note(i, 1, 0);
    EXPECT_TRUE(all.take(i));
  }
  EXPECT_EQ(all.size(), Departures::least);
  for (std::uint64_t i = 0; i < Departures::most; ++i) all.note(i, 1, 0);
  EXPECT_EQ(all.size(), Departures::most);
  EXPECT_EQ(all.lost(), 0u);
  for (std::uint64_t i = 0; i < 10; ++i) all.note(Departures::most + i, 1, 0);
  EXPECT_EQ(all.size(), Departures::most);
  EXPECT_EQ(all.lost(), 10u);
  EXPECT_FALSE(all.take(3));
  for (std::uint64_t i = 10; i < Departures::most + 10; ++i) EXPECT_TRUE(all.take(i)) << i;
}

TEST(Departures, WhatIsOldGivesWayBeforeAnythingGrows) {
  Departures all;
  for (std::uint64_t i = 0; i < Departures::least; ++i) all.note(i, 1, 0);
  for (std::uint64_t i = 0; i < Departures::least; ++i) all.note(Departures::least + i, 1 + Departures::old_us, 0);
  EXPECT_EQ(all.size(), Departures::least);
  EXPECT_EQ(all.lost(), 0u);
}

TEST(Departures, AnEdgeThatNumbersAsItLikesCostsNoMoreThanTheBound) {
  Departures all;
  for (std::uint64_t i = 0; i < 100'000; ++i) all.note(i * 0x1'0000'0001, UINT64_MAX - i, UINT64_MAX);
  EXPECT_LE(all.size(), Departures::most);
  EXPECT_GT(all.lost(), 0u);
}

}  // namespace
}  // namespace nuropb::meshd
