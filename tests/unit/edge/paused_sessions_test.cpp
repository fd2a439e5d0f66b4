#include "edge/sessions/paused_sessions.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class PausedSessionsTest : public SessionTest {
 protected:
  ConsumerHandler& paused(SteadyTime until) {
    ConsumerHandler& handler = open();
    events_.pauses_until = until;
    handler.on_message("x");
    return handler;
  }
};

TEST_F(PausedSessionsTest, ResumesThoseThatAreReady) {
  ConsumerHandler& first = paused(SteadyTime::max());
  ConsumerHandler& second = paused(SteadyTime::max());
  events_.pauses_until.reset();
  sessions_.paused.resume([&](ConsumerHandler& handler) { return &handler == &first; });
  EXPECT_TRUE(connection(first).reading);
  EXPECT_FALSE(connection(second).reading);
  EXPECT_FALSE(sessions_.paused.empty());
}

TEST_F(PausedSessionsTest, ResumesThoseWhoseTimeIsOver) {
  const SteadyTime now = clock_.now();
  ConsumerHandler& soon = paused(now + milliseconds(10));
  ConsumerHandler& later = paused(now + milliseconds(1000));
  events_.pauses_until.reset();
  sessions_.paused.expire(now + milliseconds(10));
  EXPECT_EQ(events_.messages.size(), 1u);
  EXPECT_TRUE(connection(soon).reading);
  EXPECT_FALSE(connection(later).reading);
}

TEST_F(PausedSessionsTest, OnceASecondClosesThoseWhoseClientsHaveLeft) {
  const SteadyTime now = clock_.now();
  ConsumerHandler& handler = paused(SteadyTime::max());
  sessions_.paused.expire(now);
  connection(handler).gone = true;
  sessions_.paused.expire(now + milliseconds(500));
  EXPECT_EQ(connection(handler).closed, -1);
  sessions_.paused.expire(now + milliseconds(1000));
  EXPECT_EQ(connection(handler).closed, 1001);
  EXPECT_TRUE(sessions_.paused.empty());
}

}  // namespace
}  // namespace nuropb::edge
