#include "edge/sessions/tick_timer.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(TickTimerTest, RunsOnlyWhileSomethingWaits) {
  boost::asio::io_context io;
  SystemClock clock;
  int waiting = 0, ticks = 0;
  TickTimer timer(io, clock, milliseconds(1),
                  {[&] { return waiting > 0; },
                   [&](SteadyTime) {
                     ++ticks;
                     --waiting;
                   }});
  timer.arm();
  EXPECT_EQ(io.run(), 0u);  // nothing to run: an idle edge sleeps
  waiting = 3;
  timer.arm();
  timer.arm();
  io.restart();
  io.run();
  EXPECT_EQ(ticks, 3);
}

}  // namespace
}  // namespace nuropb::edge
