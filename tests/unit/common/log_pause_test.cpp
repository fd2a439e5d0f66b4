#include "common/log_pause.hpp"

#include <gtest/gtest.h>

namespace nuropb::log {
namespace {

TEST(LogPause, OneInAWhileAndHowManyWereLeftOut) {
  Pause pause(milliseconds(1000));
  const SteadyTime start{std::chrono::hours(1)};
  EXPECT_EQ(pause.due(start), 0u) << "the first one is written";
  EXPECT_EQ(pause.due(start), std::nullopt);
  EXPECT_EQ(pause.due(start + milliseconds(999)), std::nullopt);
  EXPECT_EQ(pause.due(start + milliseconds(1000)), 2u);
  EXPECT_EQ(pause.due(start + milliseconds(1999)), std::nullopt);
  EXPECT_EQ(pause.due(start + milliseconds(9000)), 1u);
  EXPECT_EQ(pause.due(start + milliseconds(99'000)), 0u);
}

TEST(LogPause, TheFirstOneIsWrittenAtAnyTime) {
  Pause pause(milliseconds(1000));
  EXPECT_EQ(pause.due(SteadyTime{}), 0u) << "also right after the clock's beginning";
}

}  // namespace
}  // namespace nuropb::log
