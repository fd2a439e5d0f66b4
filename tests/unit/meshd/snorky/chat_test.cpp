#include "meshd/snorky/chat.hpp"

#include "tests/unit/meshd/snorky/recorder.hpp"

namespace nuropb::meshd::snorky {
namespace {

using ::testing::UnorderedElementsAre;

class SnorkyChat : public ::testing::Test {
 protected:
  Recorder outlet;
  ChatService service{"chat", {2, 1000}, outlet, [] {
                        return std::chrono::system_clock::time_point(std::chrono::microseconds(1'000'000'000'000'042));
                      }};
  static constexpr const char* channel = R"({"channel":"c"})";
};

TEST_F(SnorkyChat, PresenceIsOfUsers) {
  EXPECT_EQ(call(service, 1, "ann", "join", channel).data, R"({"members":["ann"]})");
  EXPECT_TRUE(outlet.sent.empty()) << "there is no member to notify";
  EXPECT_EQ(call(service, 2, "bob", "join", channel).data, R"({"members":["ann","bob"]})");
  ASSERT_EQ(outlet.sent.size(), 1u);
  EXPECT_THAT(outlet.sent[0].first, UnorderedElementsAre(socket(1)));
  EXPECT_EQ(
      outlet.sent[0].second,
      R"({"service":"chat","message":{"type":"presence","from":"bob","channel":"c","status":"joined","timestamp":"2001-09-09T01:46:40.000042+00:00"}})");
  call(service, 3, "ann", "join", channel);
  EXPECT_EQ(outlet.sent.size(), 1u);
  service.on_session_closed(socket(1));
  EXPECT_EQ(outlet.sent.size(), 1u) << "ann is still here";
  EXPECT_EQ(call(service, 3, "ann", "leave", channel).standing, Outcome::Standing::drop);
  ASSERT_EQ(outlet.sent.size(), 2u);
  EXPECT_THAT(outlet.sent[1].first, UnorderedElementsAre(socket(2)));
  EXPECT_THAT(outlet.sent[1].second, ::testing::HasSubstr(R"("from":"ann","channel":"c","status":"left")"));
  service.on_session_closed(socket(2));
  EXPECT_EQ(call(service, 4, "eve", "join", channel).data, R"({"members":["eve"]})");
}

TEST_F(SnorkyChat, MessagesAndReadMarks) {
  call(service, 1, "ann", "join", channel);
  call(service, 2, "ann", "join", channel);
  call(service, 3, "bob", "join", channel);
  outlet.sent.clear();
  EXPECT_EQ(call(service, 3, "bob", "send", R"({"channel":"c","body":{"x":1}})").error, "");
  EXPECT_THAT(outlet.sent[0].first, UnorderedElementsAre(socket(1), socket(2), socket(3)));
  EXPECT_THAT(outlet.sent[0].second,
              ::testing::HasSubstr(R"("type":"message","from":"bob","channel":"c","body":{"x":1},"timestamp":)"));
  call(service, 1, "ann", "read", channel);
  EXPECT_THAT(outlet.sent[1].first, UnorderedElementsAre(socket(2))) << "one's other sockets";
  call(service, 3, "bob", "read", channel);
  call(service, 9, "eve", "read", channel);
  call(service, 9, "", "read", channel);
  EXPECT_EQ(outlet.sent.size(), 2u);
}

TEST_F(SnorkyChat, Errors) {
  EXPECT_EQ(call(service, 1, "", "join", channel).error, "Not authenticated");
  EXPECT_EQ(call(service, 1, "ann", "send", R"({"channel":"c","body":1})").error, "Not joined");
  EXPECT_EQ(call(service, 1, "ann", "leave", channel).error, "Not joined");
  EXPECT_EQ(call(service, 1, "ann", "send", channel).error, "Invalid params");
  EXPECT_EQ(call(service, 1, "ann", "part", channel).error, "Unknown command");
  call(service, 1, "ann", "join", channel);
  EXPECT_EQ(call(service, 1, "ann", "join", channel).error, "Already joined");
  call(service, 1, "ann", "join", R"({"channel":2})");
  EXPECT_NE(call(service, 1, "ann", "join", R"({"channel":3})").error, "") << "two are all";
}

TEST_F(SnorkyChat, WhatIsBroughtBackIsNoNews) {
  call(service, 1, "ann", "join", channel, true);
  call(service, 2, "bob", "join", channel, true);
  call(service, 2, "bob", "join", channel, true);
  EXPECT_TRUE(outlet.sent.empty());
  EXPECT_EQ(call(service, 2, "bob", "send", R"({"channel":"c","body":1})").error, "");
}

}  // namespace
}  // namespace nuropb::meshd::snorky
