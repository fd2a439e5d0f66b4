#include "meshd/mesh/deadlines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SteadyTime at(int ms) { return SteadyTime(milliseconds(ms)); }

TEST(Deadlines, OneTimerForTheEarliest) {
  Deadlines deadlines;
  EXPECT_FALSE(deadlines.timer());
  deadlines.add(at(100), "a");
  EXPECT_EQ(deadlines.timer(), at(100));
  deadlines.add(at(200), "b");
  EXPECT_FALSE(deadlines.timer()) << "there is one already that comes first";
  deadlines.add(at(50), "c");
  EXPECT_EQ(deadlines.timer(), at(50));
}

TEST(Deadlines, WhoIsLate) {
  Deadlines deadlines;
  const auto a = deadlines.add(at(100), "a");
  const auto b = deadlines.add(at(100), "b");
  const auto c = deadlines.add(at(101), "c");
  ASSERT_EQ(deadlines.timer(), at(100));
  EXPECT_THAT(deadlines.fired(at(100), at(100)), ElementsAre("a", "b"));
  deadlines.remove(a);
  deadlines.remove(b);
  EXPECT_EQ(deadlines.timer(), at(101));
  deadlines.remove(c);  // answered
  EXPECT_THAT(deadlines.fired(at(101), at(101)), IsEmpty());
  EXPECT_FALSE(deadlines.timer());
}

/// Short requests beside a long one: each arrives, times out and is removed. Timers must not accumulate for the long
/// one.
TEST(Deadlines, TimersDoNotPileUp) {
  Deadlines deadlines;
  deadlines.add(at(1'000'000), "long");
  ASSERT_TRUE(deadlines.timer());
  std::size_t asked = 0;
  for (int now = 0; now < 10'000; now += 10) {
    const auto place = deadlines.add(at(now + 5), "short");
    const auto timer = deadlines.timer();
    ASSERT_EQ(timer, at(now + 5));
    ++asked;
    EXPECT_THAT(deadlines.fired(*timer, at(now + 5)), ElementsAre("short"));
    deadlines.remove(place);
    ASSERT_FALSE(deadlines.timer()) << "the one for the long request is set already";
  }
  EXPECT_EQ(asked, 1000u);
  EXPECT_EQ(deadlines.timers(), 1u);
}

}  // namespace
}  // namespace nuropb::mesh
