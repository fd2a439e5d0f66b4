#include "meshd/parking.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

SteadyTime at(int ms) { return SteadyTime(milliseconds(ms)); }

TEST(Parking, EachWaitsUntilItsTime) {
  Parking parking;
  EXPECT_EQ(parking.next(), SteadyTime::max());
  parking.add(1, "ann", at(30));
  parking.add(2, "bob", at(10));
  EXPECT_EQ(parking.size(), 2u);
  EXPECT_EQ(parking.next(), at(10));
  EXPECT_FALSE(parking.due(at(9)));
  EXPECT_EQ(parking.due(at(10)), 2u);
  parking.remove(2);
  parking.remove(2);
  EXPECT_FALSE(parking.due(at(29)));
  EXPECT_EQ(parking.due(at(99)), 1u);
  parking.remove(1);
  EXPECT_EQ(parking.size(), 0u);
  EXPECT_EQ(parking.next(), SteadyTime::max());
}

TEST(Parking, WhoHasMostGivesWayWithTheOldest) {
  Parking parking;
  EXPECT_FALSE(parking.gives_way());
  parking.add(1, "ann", at(1));
  parking.add(2, "bob", at(2));
  EXPECT_EQ(parking.gives_way(), 1u) << "among equals who waits longest";
  for (int i = 10; i < 20; ++i) parking.add(static_cast<std::uint32_t>(i), "eve", at(i));
  for (std::uint32_t i = 10; i < 19; ++i) {
    EXPECT_EQ(parking.gives_way(), i) << "not sessions that have waited longer and are their user's only one";
    parking.remove(i);
  }
  EXPECT_EQ(parking.gives_way(), 1u) << "now she has one as well";
  parking.remove(1);
  parking.remove(2);
  parking.remove(19);
  EXPECT_FALSE(parking.gives_way());
}

TEST(Parking, TheSameTimeIsNoTie) {
  Parking parking;
  for (std::uint32_t id = 0; id < 4; ++id) parking.add(id, id % 2 == 0 ? "ann" : "bob", at(5));
  for (std::size_t left = 4; left > 0; --left) {
    ASSERT_EQ(parking.size(), left);
    const auto id = parking.gives_way();
    ASSERT_TRUE(id);
    parking.remove(*id);
  }
}

}  // namespace
}  // namespace nuropb::meshd
