#include "edge/sessions/drain_controller.hpp"

#include <signal.h>

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class DrainControllerTest : public SessionTest {
 protected:
  DrainControllerTest() {
    config_.drain.spread_ms = 0;
    config_.drain.limit_ms = 60'000;
    drain_.wait_for_signal();
  }
  void add_request(ConsumerHandler& handler, std::uint64_t sequence) {
    sessions_.pending.add(sequence, handler.slot(), handler.relayed().requests, SteadyTime::max(), "\"t\"");
  }
};

TEST_F(DrainControllerTest, FirstSaysSoAndThenStops) {
  config_.drain.grace_ms = 3'600'000;
  ::raise(SIGTERM);
  ASSERT_TRUE(eventually([&] { return !drain_.serving(); }));
  EXPECT_FALSE(drain_.refusing());
  ::raise(SIGTERM);  // twice: at once
  ASSERT_TRUE(eventually([&] { return drain_.refusing(); }));
  EXPECT_TRUE(eventually([&] { return drained_; }));
}

TEST_F(DrainControllerTest, ASocketClosesWithItsLastAnswer) {
  ConsumerHandler& busy = open();
  ConsumerHandler& idle = open();
  add_request(busy, 1);
  ::raise(SIGTERM);
  ASSERT_TRUE(eventually([&] { return connection(idle).closed == 1001; }));
  EXPECT_TRUE(eventually([&] { return !drain_.accepts_from(busy); }));
  EXPECT_EQ(connection(busy).closed, -1);
  EXPECT_EQ(interrupted_, 0);
  (void)sessions_.pending.take(1);
  EXPECT_TRUE(eventually([&] { return connection(busy).closed == 1001; }));
  for (ConsumerHandler* one : {&busy, &idle}) {
    drain_.on_closing(*one);
    one->on_close();
  }
  EXPECT_TRUE(eventually([&] { return drained_; }));
}

TEST_F(DrainControllerTest, AResumableSessionIsNotWaitedFor) {
  ConsumerHandler& handler = open();
  add_request(handler, 1);
  handler.relayed().numbered = std::make_unique<NumberedMessages>();
  ::raise(SIGTERM);
  EXPECT_TRUE(eventually([&] { return connection(handler).closed == 1001; }));
}

TEST_F(DrainControllerTest, WhatIsPendingAtTheLimitIsInterrupted) {
  config_.drain.limit_ms = 30;
  ConsumerHandler& handler = open();
  add_request(handler, 1);
  ::raise(SIGTERM);
  ASSERT_TRUE(eventually([&] { return interrupted_ == 1; }));
  EXPECT_TRUE(drain_.refuses(handler));
  EXPECT_TRUE(eventually([&] { return connection(handler).closed == 1001; }));
  (void)sessions_.pending.take(1);
}

}  // namespace
}  // namespace nuropb::edge
