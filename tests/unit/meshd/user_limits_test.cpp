#include "meshd/user_limits.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nuropb::meshd {
namespace {

using Over = RateLimit::Over;

TEST(UserLimits, ConnectionsAreCountedByUserAndComeFreeAgain) {
  UserLimits limits(2, {});
  auto first = limits.admit("ann");
  auto second = limits.admit("ann");
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(limits.admit("ann"));
  EXPECT_TRUE(limits.admit("bob"));
  first.reset();
  auto third = limits.admit("ann");
  EXPECT_TRUE(third);
  EXPECT_FALSE(limits.admit("ann"));
}

TEST(UserLimits, APlaceIsOneHoweverItIsMoved) {
  UserLimits limits(1, {});
  UserLimits::Place place = *limits.admit("ann");
  UserLimits::Place moved = std::move(place);
  EXPECT_FALSE(limits.admit("ann"));
  place = UserLimits::Place();
  EXPECT_FALSE(limits.admit("ann"));
  moved = UserLimits::Place();
  EXPECT_TRUE(limits.admit("ann"));
}

TEST(UserLimits, TheRateIsOneForAllConnectionsOfAUser) {
  UserLimits limits(0, {10, 10, 0, 0});
  ManualClock clock;
  std::vector<UserLimits::Place> places;
  for (int i = 0; i < 4; ++i) places.push_back(*limits.admit("ann"));
  const auto bob = *limits.admit("bob");
  int taken = 0;
  for (int i = 0; i < 19; ++i)
    taken += limits.take(places[static_cast<std::size_t>(i) % 4], clock.now(), 1).over == Over::nothing ? 1 : 0;
  EXPECT_EQ(taken, 10);
  EXPECT_EQ(limits.take(bob, clock.now(), 1).over, Over::nothing);
}

TEST(UserLimits, ComingBackDoesNotFillTheBucket) {
  UserLimits limits(0, {10, 10, 0, 0});
  ManualClock clock;
  for (int i = 0; i < 15; ++i) {
    const auto place = *limits.admit("ann");
    EXPECT_EQ(limits.take(place, clock.now(), 1).over, i < 10 ? Over::nothing : Over::messages);
    limits.forget_idle(clock.now());
  }
}

TEST(UserLimits, IdleUsersAreForgotten) {
  UserLimits limits(1, {10, 10, 0, 0});
  ManualClock clock;
  for (int i = 0; i < 1000; ++i) {
    const auto place = *limits.admit("user " + std::to_string(i));
    limits.take(place, clock.now(), 1);
  }
  const auto stays = *limits.admit("ann");
  limits.forget_idle(clock.now());
  EXPECT_EQ(limits.users(), 1001u);
  clock.advance(std::chrono::milliseconds(100));
  limits.forget_idle(clock.now());
  EXPECT_EQ(limits.users(), 1u);
}

TEST(UserLimits, WithoutLimitsNobodyIsKept) {
  UserLimits limits(0, {});
  const auto place = limits.admit("ann");
  ASSERT_TRUE(place);
  EXPECT_EQ(limits.take(*place, SteadyTime(), 1 << 30).over, Over::nothing);
  EXPECT_EQ(limits.users(), 0u);
}

TEST(UserLimits, WhoHasNoNameIsNobody) {
  UserLimits limits(1, {});
  const auto one = limits.admit(""), other = limits.admit("");
  EXPECT_TRUE(one && other);
}

}  // namespace
}  // namespace nuropb::meshd
