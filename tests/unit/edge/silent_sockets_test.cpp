#include "edge/sessions/silent_sockets.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class SilentSocketsTest : public SessionTest {
 protected:
  ConsumerHandler& add(const char* peer) {
    ConsumerHandler& handler = connect(session("", peer));
    silent_.add(handler);
    return handler;
  }
  SilentSockets silent_{3, limits_};
};

TEST_F(SilentSocketsTest, AnAddressThatHasMostLosesItsOldestSocketToAnother) {
  ConsumerHandler& oldest = add("10.0.0.1:1");
  ConsumerHandler& second = add("10.0.0.1:2");
  EXPECT_TRUE(silent_.make_room("10.0.0.1:3"));
  add("10.0.0.1:3");
  EXPECT_FALSE(silent_.make_room("10.0.0.1:4"));  // its own sockets do not give way
  EXPECT_TRUE(silent_.make_room("10.0.0.2:1"));
  EXPECT_EQ(connection(oldest).closed, 4402);
  EXPECT_EQ(connection(second).closed, -1);
  EXPECT_EQ(silent_.gave_way(), 1u);
}

TEST_F(SilentSocketsTest, FairSharesDoNotGiveWay) {
  for (const char* peer : {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}) add(peer);
  EXPECT_FALSE(silent_.make_room("10.0.0.4:1"));
  EXPECT_EQ(silent_.gave_way(), 0u);
}

}  // namespace
}  // namespace nuropb::edge
