#include "edge/relay/session_restorer.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;

class SessionRestorerTest : public RelayTest {};

TEST_F(SessionRestorerTest, ANewMeshdHearsOfNumbersThenTopicsThenStandingCalls) {
  attach();
  Client& client = join_accepted();
  RelayState& state = client.handler().relayed();
  state.topics = {"a", "b"};
  state.standing["key"] = R"({"service":"pubsub","message":{"command":"subscribe","params":{"channel":"c"}}})";
  state.numbered = std::make_unique<NumberedMessages>();
  state.numbered->token = "resume token";
  state.numbered->last = 41;
  attach();
  EXPECT_FALSE(state.numbered->told);
  accept_again(client);
  const auto again = meshd_->next<records::Resume>(Type::resume).second;
  EXPECT_EQ(again.what, records::Resume::What::again);
  EXPECT_EQ(again.number, 41u);
  for (const char* topic : {"a", "b"}) {
    const auto asked = meshd_->next<records::Subscription>(Type::subscribe);
    EXPECT_EQ(asked.second.topic, topic);
    EXPECT_EQ(asked.second.trace_id, "");
  }
  EXPECT_TRUE((meshd_->next<records::SnorkyCall>(Type::snorky_call).second.restoring));
  EXPECT_FALSE(state.restoring);
}

TEST_F(SessionRestorerTest, WhatFindsNoRoomFollows) {
  attach();
  Client& client = join_accepted();
  client.handler().relayed().topics = {"a", "b"};
  attach({1 << 12, 1 << 16});
  turn();
  const auto asked = meshd_->open();
  int filled = 0;
  while (sender_.send(records::Type::close_session, records::CloseSession{99, 99, false})) ++filled;
  meshd_->accept(asked);
  ASSERT_TRUE(eventually([&] { return client.handler().state() == ConsumerHandler::State::open; }));
  EXPECT_TRUE(client.handler().relayed().restoring);
  for (int i = 0; i < filled; ++i) EXPECT_EQ(meshd_->closed().session, 99u);
  ASSERT_TRUE(eventually([&] { return !client.handler().relayed().restoring; }));
  turn();
  for (const char* topic : {"a", "b"})
    EXPECT_EQ((meshd_->next<records::Subscription>(records::Type::subscribe).second.topic), topic);
}

}  // namespace
}  // namespace nuropb::edge
