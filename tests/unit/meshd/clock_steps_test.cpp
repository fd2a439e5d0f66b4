#include "meshd/clock_steps.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using std::chrono::hours;

const SteadyTime begin{hours(5)};

TEST(ClockSteps, TimeThatPassesIsNoStep) {
  ClockSteps steps({1'000'000, begin});
  EXPECT_EQ(steps.look({1'001'000, begin + milliseconds(1000)}), 0);
  EXPECT_EQ(steps.look({1'000'000 + 86'400'000, begin + hours(24)}), 0);
  EXPECT_EQ(steps.count(), 0u);
}

TEST(ClockSteps, AStepInEitherDirectionIsToldOnce) {
  ClockSteps steps({1'000'000, begin});
  EXPECT_EQ(steps.look({1'000'000 + 3'601'000, begin + milliseconds(1000)}), 3'600'000);
  EXPECT_EQ(steps.look({1'000'000 + 3'602'000, begin + milliseconds(2000)}), 0);
  EXPECT_EQ(steps.look({1'003'000, begin + milliseconds(3000)}), -3'600'000);
  EXPECT_EQ(steps.count(), 2u);
}

TEST(ClockSteps, SmallOnesAddUp) {
  ClockSteps steps({0, begin});
  EXPECT_EQ(steps.look({600, begin}), 0);
  EXPECT_EQ(steps.look({1200, begin}), 1200);
  EXPECT_EQ(steps.look({1200, begin}), 0);
}

TEST(SteadyEnd, IsWhatIsLeftOfTheTime) {
  EXPECT_EQ(steady_end(110, {100'000, begin}), begin + milliseconds(10'000));
  EXPECT_EQ(steady_end(110, {100'400, begin}), begin + milliseconds(9'600));
  EXPECT_EQ(steady_end(100, {100'400, begin}), begin) << "over already";
  EXPECT_EQ(steady_end(1LL << 52, {100'000, begin}), begin + std::chrono::seconds(1LL << 32)) << "practically never";
}

}  // namespace
}  // namespace nuropb::meshd
