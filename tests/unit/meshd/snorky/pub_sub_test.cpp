#include "meshd/snorky/pub_sub.hpp"

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

using Publish = PubSubService::Publish;
using ::testing::UnorderedElementsAre;

class SnorkyPubSub : public ::testing::Test {
 protected:
  Recorder outlet;
  PubSubService service{"pubsub", Publish::all, {3, 1000}, outlet};
};

TEST_F(SnorkyPubSub, SubscribersGetOneFrameForAll) {
  const Outcome subscribed = call(service, 1, "ann", "subscribe", R"({"channel":{"b":1,"a":2}})");
  EXPECT_EQ(subscribed.error, "");
  EXPECT_EQ(subscribed.standing, Outcome::Standing::keep);
  call(service, 2, "bob", "subscribe", R"({"channel":{"a":2.0,"b":1}})");
  call(service, 3, "bob", "subscribe", R"({"channel":"other"})");
  const Outcome published = call(service, 2, "bob", "publish", R"({"message":[1],"channel":{"a":2,"b":1}})");
  EXPECT_EQ(published.error, "");
  EXPECT_EQ(published.data, "null");
  ASSERT_EQ(outlet.sent.size(), 1u);
  EXPECT_THAT(outlet.sent[0].first, UnorderedElementsAre(socket(1), socket(2)));
  EXPECT_EQ(outlet.sent[0].second,
            R"({"service":"pubsub","message":{"type":"message","channel":{"a":2,"b":1},"message":[1]}})");
  ASSERT_EQ(outlet.told.size(), 1u) << "and the other gateways hear of it, no matter who is here";
  EXPECT_EQ(outlet.told[0].second, R"({"channel":{"a":2,"b":1},"message":[1]})");

  const Outcome left = call(service, 1, "ann", "unsubscribe", R"({"channel":{"a":2,"b":1}})");
  EXPECT_EQ(left.standing, Outcome::Standing::drop);
  EXPECT_EQ(left.key, subscribed.key);
}

TEST_F(SnorkyPubSub, ErrorsAreTheOriginals) {
  EXPECT_EQ(call(service, 1, "ann", "unsubscribe", R"({"channel":1})").error, "Not subscribed");
  call(service, 1, "ann", "subscribe", R"({"channel":1})");
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":1.0})").error, "Already subscribed");
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":1,"x":1})").error, "Invalid params");
  EXPECT_EQ(call(service, 1, "ann", "publish", R"({"channel":1})").error, "Invalid params");
  EXPECT_EQ(call(service, 1, "ann", "do_publish", R"({"channel":1})").error, "Unknown command");
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":2})").error, "");
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":3})").error, "");
  EXPECT_NE(call(service, 1, "ann", "subscribe", R"({"channel":4})").error, "") << "three are all";
  EXPECT_EQ(call(service, 1, "ann", "subscribe", "{\"channel\":\"" + std::string(max_channel, 'x') + "\"}").error,
            text::channel_too_long);
  outlet.largest = 60;
  EXPECT_EQ(call(service, 1, "ann", "publish", R"({"channel":1,"message":"more than fits into it"})").error,
            text::too_large);
}

TEST_F(SnorkyPubSub, WhatIsBroughtBackTwiceIsOnce) {
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":1})", true).standing, Outcome::Standing::keep);
  EXPECT_EQ(call(service, 1, "ann", "subscribe", R"({"channel":1})", true).standing, Outcome::Standing::keep);
}

TEST_F(SnorkyPubSub, WhoIsGoneIsSubscribedToNothing) {
  call(service, 1, "ann", "subscribe", R"({"channel":1})");
  service.on_session_closed(socket(1));
  service.on_session_closed(socket(9));
  call(service, 2, "ann", "publish", R"({"channel":1,"message":1})");
  EXPECT_TRUE(outlet.sent.empty());
}

TEST_F(SnorkyPubSub, AnotherGatewaysNewsGoNoFurther) {
  call(service, 1, "ann", "subscribe", R"({"channel":1})");
  service.on_peer(R"({"channel":1.0,"message":"from afar"})");
  ASSERT_EQ(outlet.sent.size(), 1u);
  EXPECT_TRUE(outlet.told.empty());
  for (const char* const rubbish : {"7", "{}", R"({"channel":1})", R"({"channel":1,"message":1,"more":1})", "[]"})
    service.on_peer(rubbish);
  service.on_peer("{\"message\":1,\"channel\":\"" + std::string(max_channel, 'x') + "\"}");
  EXPECT_EQ(outlet.sent.size(), 1u);
}

TEST(SnorkyPublishing, IsAllowedToAllOrToBackendsOrByPolicy) {
  Recorder outlet;
  PubSubService closed("news", Publish::backend, {}, outlet), ruled("ruled", Publish::policy, {}, outlet);
  const char* const message = R"({"channel":"open/1","message":1})";
  EXPECT_EQ(call(closed, 1, "ann", "publish", message).error, "Not authorized");
  EXPECT_EQ(call(ruled, 1, "ann", "publish", message).error, "Not authorized")
      << "a session without a policy may do nothing";

  PubSubBackend backend("news_backend", closed);
  call(closed, 1, "ann", "subscribe", R"({"channel":"open/1"})");
  EXPECT_EQ(call(backend, 0, "", "publish", message).error, "");
  EXPECT_EQ(outlet.sent.size(), 1u);
  EXPECT_EQ(call(backend, 0, "", "publish", R"({"channel":1})").error, "Invalid params");
  EXPECT_EQ(call(backend, 0, "", "subscribe", R"({"channel":1})").error, "Unknown command");

  const auto policy = Policy::parse(
      "[[allow]]\nverbs = [\"publish\"]\nusers = [\"ann\"]\nservices = [\"ruled\"]\nchannels = [\"open/*\"]\n",
      "policy");
  ASSERT_TRUE(policy) << policy.error().text();
  const auto ann = policy->for_identity({"ann", "", "", {}, {}}), bob = policy->for_identity({"bob", "", "", {}, {}});
  EXPECT_EQ(call(ruled, 1, "ann", "publish", message, false, &ann).error, "");
  EXPECT_EQ(call(ruled, 1, "ann", "publish", R"({"channel":"closed","message":1})", false, &ann).error,
            "Not authorized");
  EXPECT_EQ(call(ruled, 1, "ann", "publish", R"({"channel":["open/1"],"message":1})", false, &ann).error,
            "Not authorized");
  EXPECT_EQ(call(ruled, 1, "bob", "publish", message, false, &bob).error, "Not authorized");
  EXPECT_EQ(call(closed, 1, "ann", "publish", message, false, &ann).error, "Not authorized")
      << "no policy opens what is for backends";
}

}  // namespace
}  // namespace nuropb::meshd::snorky
