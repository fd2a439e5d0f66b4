#include "meshd/mesh/broker_bounds.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb::mesh {
namespace {

using Trust = BrokerBounds::Trust;
using Kind = BrokerBounds::Kind;
constexpr auto request = MessageType::request, event = MessageType::event, response = MessageType::response;
const SteadyTime now = std::chrono::steady_clock::now();

/// In RabbitMQ's words.
std::string denied(const std::string& topic, const std::string& exchange = "events") {
  return "403 ACCESS_REFUSED - access to topic '" + topic + "' in exchange '" + exchange +
         "' in vhost '/' refused for user 'u'";
}
const std::string too_large = "406 PRECONDITION_FAILED - message size 5001 is larger than configured max size 5000";

class BrokerBoundsTest : public ::testing::Test {
 protected:
  BrokerBounds bounds_{"events"};
};

TEST_F(BrokerBoundsTest, SizesAreKnownUpToTheLargestThatWasTaken) {
  EXPECT_EQ(bounds_.trust(request, "s", BrokerBounds::small), Trust::known);
  EXPECT_EQ(bounds_.trust(response, "s", BrokerBounds::small + 1), Trust::size_untried);
  bounds_.took(request, "s", 10'000);
  EXPECT_EQ(bounds_.trust(response, "q", 10'000), Trust::known);
  EXPECT_EQ(bounds_.trust(response, "q", 10'001), Trust::size_untried);
  bounds_.took(request, "s", 5);
  EXPECT_EQ(bounds_.trust(response, "q", 10'000), Trust::known) << "a small one takes nothing back";
}

TEST_F(BrokerBoundsTest, WhatTheBrokerHasSaidOfSizesHolds) {
  bounds_.took(request, "s", 4500);
  const auto said = bounds_.read(406, too_large);
  ASSERT_EQ(said.kind, Kind::size);
  EXPECT_EQ(said.largest, 5000u);
  EXPECT_TRUE(said.means(request, "s", 5001));
  EXPECT_FALSE(said.means(request, "s", 5000));
  bounds_.refused(said, request, "s", too_large, now);
  EXPECT_EQ(bounds_.trust(request, "s", 5000), Trust::known) << "nothing of that size is left to be tried";
  EXPECT_FALSE(bounds_.refuses(request, "s", 5000, now));
  const auto why = bounds_.refuses(request, "s", 5001, now);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("5000"), std::string::npos) << *why;
  EXPECT_NE(why->find("configured max size"), std::string::npos) << *why;
  bounds_.fresh();
  EXPECT_FALSE(bounds_.refuses(request, "s", 5001, now)) << "another connection may be to another broker";
  EXPECT_EQ(bounds_.trust(request, "s", 4500), Trust::size_untried);
}

TEST_F(BrokerBoundsTest, RabbitMQsOwnLargestSize) {
  const auto said =
      bounds_.read(406, "406 PRECONDITION_FAILED - message size 536870913 is larger than max size 536870912");
  EXPECT_EQ(said.kind, Kind::size);
  EXPECT_EQ(said.largest, 536'870'912u);
}

TEST_F(BrokerBoundsTest, OtherWordsAreAboutNothingThatIsKnown) {
  for (const auto& [code, why] :
       {std::pair(406, "406 PRECONDITION_FAILED - unknown delivery tag 7"),
        std::pair(406, "406 PRECONDITION_FAILED - message size 1 is larger than configured max size x"),
        std::pair(403, "403 ACCESS_REFUSED - access to exchange 'events' in vhost '/' refused for user 'u'"),
        std::pair(541, "541 INTERNAL_ERROR"), std::pair(404, "404 access to topic 't' in exchange 'events'")}) {
    const auto said = bounds_.read(static_cast<std::uint16_t>(code), why);
    EXPECT_EQ(said.kind, Kind::other) << why;
    EXPECT_FALSE(said.means(event, "t", 1U << 30U)) << why;
  }
}

TEST_F(BrokerBoundsTest, ATopicIsTriedOnceAndRefusedForAMinute) {
  EXPECT_EQ(bounds_.trust(event, "t", 1), Trust::topic_untried);
  EXPECT_EQ(bounds_.trust(request, "t", 1), Trust::known) << "services have no topics";
  bounds_.took(event, "t", 1);
  EXPECT_EQ(bounds_.trust(event, "t", 1), Trust::known);
  const auto said = bounds_.read(403, denied("secret"));
  ASSERT_EQ(said.kind, Kind::topic);
  EXPECT_TRUE(said.means(event, "secret", 1));
  EXPECT_FALSE(said.means(event, "secret.more", 1));
  EXPECT_FALSE(said.means(request, "secret", 1));
  EXPECT_FALSE(bounds_.refuses_topics());
  bounds_.refused(said, event, "secret", denied("secret"), now);
  EXPECT_TRUE(bounds_.refuses_topics());
  EXPECT_EQ(bounds_.trust(event, "t", 1), Trust::known);
  const auto why = bounds_.refuses(event, "secret", 1, now);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("ACCESS_REFUSED"), std::string::npos) << *why;
  EXPECT_FALSE(bounds_.refuses(request, "secret", 1, now));
  EXPECT_FALSE(bounds_.refuses(event, "secret", 1, now + RefusedTopics::remembered))
      << "the permission may be there now";
}

TEST_F(BrokerBoundsTest, APermissionThatIsTakenAwayHasAllTopicsTriedAgain) {
  bounds_.took(event, "a", 1);
  bounds_.took(event, "b", 1);
  bounds_.refused(bounds_.read(403, denied("a")), event, "a", denied("a"), now);
  EXPECT_EQ(bounds_.trust(event, "b", 1), Trust::topic_untried);
}

/// Clients choose topics: none may make the broker's text refer to another client's message.
TEST_F(BrokerBoundsTest, ATopicThatLooksLikeTheBrokersWords) {
  const std::string sly = "a' in exchange 'events' in vhost '/' refused for user 'u";
  const auto said = bounds_.read(403, denied(sly));
  EXPECT_TRUE(said.means(event, sly, 1));
  EXPECT_FALSE(said.means(event, "a", 1));
}

TEST_F(BrokerBoundsTest, ALongTopicIsCutByTheBroker) {
  const std::string topic(250, 't');
  const auto said = bounds_.read(403, denied(topic).substr(0, 252) + "...");
  EXPECT_EQ(said.kind, Kind::topic);
  EXPECT_TRUE(said.cut);
  EXPECT_TRUE(said.means(event, topic, 1));
  EXPECT_FALSE(said.means(event, "other", 1));
}

TEST_F(BrokerBoundsTest, WhatIsRememberedIsBounded) {
  RefusedTopics refused;
  for (std::size_t i = 0; i <= RefusedTopics::most; ++i) refused.add(std::to_string(i), "no", now);
  EXPECT_EQ(refused.size(), RefusedTopics::most);
  EXPECT_FALSE(refused.find("0", now)) << "the oldest";
  EXPECT_TRUE(refused.find("1", now));
  refused.add("1", "again", now + RefusedTopics::remembered);
  EXPECT_EQ(refused.size(), RefusedTopics::most);
  EXPECT_EQ(*refused.find("1", now + RefusedTopics::remembered), "again");
  for (std::size_t i = 0; i <= BrokerBounds::most_topics; ++i) bounds_.took(event, std::to_string(i), 1);
  EXPECT_EQ(bounds_.trust(event, "0", 1), Trust::topic_untried);
  EXPECT_EQ(bounds_.trust(event, std::to_string(BrokerBounds::most_topics), 1), Trust::known);
}

}  // namespace
}  // namespace nuropb::mesh
