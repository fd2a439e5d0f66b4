#include "edge/sessions/cached_clock.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(CachedClockTest, TheMomentStaysUntilItIsRefreshed) {
  ManualClock time;
  CachedClock clock(time);
  const SteadyTime first = clock.refresh();
  time.advance(milliseconds(5));
  EXPECT_EQ(clock.moment(), first);
  EXPECT_EQ(clock.now(), first + milliseconds(5));
  EXPECT_EQ(clock.moment(), first);
  clock.refresh();
  EXPECT_EQ(clock.moment(), first + milliseconds(5));
}

}  // namespace
}  // namespace nuropb::edge
