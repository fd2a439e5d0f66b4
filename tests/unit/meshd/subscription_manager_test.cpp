#include "meshd/sessions/subscription_manager.hpp"

#include <gmock/gmock.h>

#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using ::testing::HasSubstr;

class SubscriptionManagerTest : public SessionsInMemory {
 protected:
  Face& face() { return faces_.all.web(); }
  void bound(const std::string& pattern, const std::string& refused = {}) {
    subscriptions_.on_pattern(face(), {pattern, refused});
  }
};

TEST_F(SubscriptionManagerTest, TheFirstSubscriberWaitsForTheMesh) {
  open();
  subscribe("a.b", 1);
  EXPECT_TRUE(responses_.all.empty());
  EXPECT_TRUE(faces_.mesh().bound.contains("a.b"));
  bound("a.b");
  ASSERT_EQ(responses_.all.size(), 1u);
  EXPECT_EQ(responses_.last().error, "null");
}

TEST_F(SubscriptionManagerTest, ALaterOneIsAnsweredAtOnceAndTheLastOneUnbinds) {
  open(0);
  open(1);
  subscribe("a.b", 1, 0);
  bound("a.b");
  subscribe("a.b", 2, 1);
  EXPECT_EQ(responses_.all.size(), 2u);
  subscriptions_.unsubscribe({0, session(0).serial, "a.b", 0, "\"t\"", {}}, session(0), from(3));
  EXPECT_TRUE(faces_.mesh().bound.contains("a.b"));
  subscriptions_.forget_all(one, 1, session(1));
  EXPECT_FALSE(faces_.mesh().bound.contains("a.b"));
  EXPECT_EQ(session(1).topics.size(), 0u);
}

TEST_F(SubscriptionManagerTest, APatternThatTheMeshRefusesIsNotHeld) {
  open();
  subscribe("a.b", 1);
  bound("a.b", "for the test");
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("the broker refuses the topic: for the test"));
  EXPECT_FALSE(session().topics.contains("a.b"));
}

TEST_F(SubscriptionManagerTest, ASubscriptionThatTheMeshRefusesLaterEnds) {
  open();
  subscribe("a.b", 1);
  bound("a.b");
  bound("a.b", "for the test");
  EXPECT_FALSE(session().topics.contains("a.b"));
  EXPECT_EQ(responses_.all.size(), 1u) << "its request was answered long ago";
  EXPECT_EQ(sent(), (std::vector{records::Type::subscription_ended}));
}

TEST_F(SubscriptionManagerTest, TopicsOfTheGatewaysThemselvesAreRefused) {
  open();
  subscribe(std::string(Peers::reserved_word) + ".x", 1);
  EXPECT_NE(responses_.last().error, "null");
  EXPECT_EQ(session().topics.size(), 0u);
}

TEST_F(SubscriptionManagerTest, TheLimitOfASessionIsNamedAndCounted) {
  config_.events.subscriptions_per_session = 1;
  open();
  subscribe("a.b", 1);
  subscribe("a.c", 2);
  EXPECT_THAT(std::string(responses_.last().error), HasSubstr("events.subscriptions_per_session"));
  EXPECT_EQ(quotas_.refused().subscriptions, 1u);
}

TEST_F(SubscriptionManagerTest, MovingASubscriptionKeepsItsBinding) {
  open();
  subscribe("a.b", 1);
  bound("a.b");
  const ReturnAddress before = delivery_.holder(one, 0, session());
  number_messages();
  subscriptions_.move(session(), before, delivery_.holder(one, 0, session()));
  std::vector<WorkerId> interested;
  face().subscriptions.match("a.b", interested);
  EXPECT_EQ(interested, (std::vector{numbered_worker}));
  EXPECT_TRUE(faces_.mesh().bound.contains("a.b"));
  subscriptions_.forget(numbered_worker, 0, session(), "a.b");
  EXPECT_FALSE(faces_.mesh().bound.contains("a.b"));
}

}  // namespace
}  // namespace nuropb::meshd
