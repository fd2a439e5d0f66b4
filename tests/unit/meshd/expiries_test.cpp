#include "meshd/expiries.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const Expiries::Key one{{1, 2}, 3, 4}, other{{1, 2}, 3, 5};

struct ExpiriesTest : testing::Test {
  void set(const Expiries::Key& key, std::int64_t warning_s, std::int64_t expires) {
    expiries.set(key, warning_s, {expires, steady_end(expires, now)}, now);
  }
  void pass(std::chrono::seconds time) {
    now.steady += time;
    now.wall_ms += milliseconds(time).count();
  }
  std::vector<Expiries::Due> due() { return expiries.due(now.steady); }
  void step(std::chrono::seconds by) {
    now.wall_ms += milliseconds(by).count();
    expiries.stepped(now);
  }
  Moment now{1'000'000, SteadyTime(std::chrono::hours(5))};
  Expiries expiries;
};

TEST_F(ExpiriesTest, WarnsThenEnds) {
  set(one, 10, 1100);
  pass(seconds(89));
  EXPECT_TRUE(due().empty());
  pass(seconds(1));
  auto found = due();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].key, one);
  EXPECT_FALSE(found[0].over);
  EXPECT_EQ(found[0].left_s, 10);
  pass(seconds(9));
  EXPECT_TRUE(due().empty()) << "warned once";
  pass(seconds(1));
  found = due();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].over);
  EXPECT_EQ(expiries.size(), 0u);
}

TEST_F(ExpiriesTest, OneThatIsLookedAtLateEndsWithoutAWarning) {
  set(one, 10, 1100);
  pass(seconds(500));
  const auto found = due();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].over);
}

TEST_F(ExpiriesTest, WithoutAWarningThereIsOnlyTheEnd) {
  set(one, 0, 1100);
  pass(seconds(99));
  EXPECT_TRUE(due().empty());
  pass(seconds(1));
  EXPECT_TRUE(due().at(0).over);
}

TEST_F(ExpiriesTest, ATokenWhoseTimeIsNearlyOverIsWarnedOfAtOnceAndOneThatIsOverEndsAtOnce) {
  set(one, 60, 1010);
  set(other, 60, 990);
  const auto found = due();
  ASSERT_EQ(found.size(), 2u);
  for (const Expiries::Due& each : found) EXPECT_EQ(each.over, each.key == other);
}

TEST_F(ExpiriesTest, AFreshTokenMovesTheEndAndAClosedSessionHasNone) {
  set(one, 10, 1100);
  set(other, 10, 1100);
  set(one, 10, 1200);
  EXPECT_EQ(expiries.size(), 2u);
  expiries.remove(other);
  expiries.remove(other);
  pass(seconds(150));
  EXPECT_TRUE(due().empty());
  pass(seconds(40));
  EXPECT_EQ(due().size(), 1u);
}

TEST_F(ExpiriesTest, AStepBackProlongsNothing) {
  set(one, 0, 1100);
  step(-seconds(3600));
  pass(seconds(99));
  EXPECT_TRUE(due().empty());
  pass(seconds(1));
  ASSERT_EQ(due().size(), 1u);
}

TEST_F(ExpiriesTest, AStepForwardBeyondTheEndClosesOverTenMinutesAndNotAtOnce) {
  constexpr std::uint32_t all = 1000;
  for (std::uint32_t slot = 0; slot < all; ++slot) set({{1, 2}, slot, 7}, 0, 1000 + 1800);
  step(seconds(3600));
  std::size_t closed = 0, most = 0;
  for (int minute = 0; minute < 10; ++minute) {
    pass(seconds(60));
    const std::size_t now_closed = due().size();
    closed += now_closed;
    most = std::max(most, now_closed);
  }
  EXPECT_EQ(closed, all);
  EXPECT_LT(most, all / 5) << "evenly, a tenth each minute";
}

TEST_F(ExpiriesTest, AStepThatIsTakenBackClosesNobodyAnyMore) {
  for (std::uint32_t slot = 0; slot < 100; ++slot) set({{1, 2}, slot, 7}, 0, 1000 + 1800);
  step(seconds(3600));
  pass(seconds(30));
  const std::size_t closed = due().size();
  EXPECT_LT(closed, 20u);
  step(-seconds(3600));
  pass(seconds(1700));
  EXPECT_TRUE(due().empty());
  pass(seconds(100));
  EXPECT_EQ(due().size(), 100 - closed);
}

TEST_F(ExpiriesTest, AStepForwardProlongsNothingEither) {
  set(one, 0, 1000 + 5);
  step(seconds(3600));
  pass(seconds(5));
  EXPECT_EQ(due().size(), 1u) << "it expires before its share of the ten minutes is over";
}

TEST_F(ExpiriesTest, AStepForwardThatLeavesSomeTimeBringsTheEndNearer) {
  set(one, 0, 1000 + 7200);
  step(seconds(3600));
  pass(seconds(3599));
  EXPECT_TRUE(due().empty());
  pass(seconds(1));
  EXPECT_EQ(due().size(), 1u);
}

TEST_F(ExpiriesTest, AWarningIsNotRepeatedForAStep) {
  set(one, 60, 1100);
  pass(seconds(50));
  EXPECT_EQ(due().size(), 1u);
  step(-seconds(3600));
  EXPECT_TRUE(due().empty());
  pass(seconds(50));
  EXPECT_TRUE(due().at(0).over);
}

}  // namespace
}  // namespace nuropb::meshd
