#include "edge/relay/request_relay.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RequestRelayTest : public RelayTest {};

TEST_F(RequestRelayTest, ARequestIsAnsweredOnce) {
  attach();
  Client& client = join_accepted();
  client.send(request_text("a"));
  turn();
  const auto asked = meshd_->request();
  EXPECT_EQ(asked.second.service, "demo");
  EXPECT_EQ(asked.second.params, R"({"x":1})");
  for (int i = 0; i < 2; ++i) meshd_->answer(asked, "1");
  EXPECT_THAT(await_messages(client),
              ElementsAre(R"({"type":"response","payload":{"trace_id":"a","result":1,"error":null}})"));
  ASSERT_TRUE(eventually([&] { return counter(shm::EdgeCounter::late_responses) == 1; }));
  EXPECT_THAT(client.read(), IsEmpty());
  EXPECT_EQ(sessions_.pending.size(), 0u);
}

TEST_F(RequestRelayTest, WhileTheBrokerIsAwayOnlyCommandsGoOn) {
  attach();
  Client& client = join_accepted();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return !sender_.broker_ready(); }));
  client.send(R"({"type":"command","payload":{"service":"demo","method":"note","params":{},"trace_id":"c"}})");
  turn();
  EXPECT_EQ((meshd_->next<records::Request>(Type::command).second.trace_id), "\"c\"");
  client.send(request_text("a"));
  EXPECT_FALSE(client.connection.reading);
  turn();
  EXPECT_TRUE(meshd_->quiet());
  meshd_->set_broker(shm::BrokerState::ready);
  ASSERT_TRUE(eventually([&] { return client.connection.reading; }));
  turn();
  EXPECT_EQ(meshd_->request().second.trace_id, "\"a\"");
}

TEST_F(RequestRelayTest, MoreThanTheLimitIsRefused) {
  config_.limits.pending_per_session = 1;
  attach();
  Client& client = join_accepted();
  client.send(request_text("a"));
  client.send(request_text("b"));
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr("more than 1 requests are outstanding")));
  EXPECT_EQ(counter(shm::EdgeCounter::over_pending), 1u);
}

TEST_F(RequestRelayTest, WhatIsWrongIsAnsweredHere) {
  attach();
  Client& client = join_accepted();
  client.send("not JSON");
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr("JSONDecodeError")));
  turn();
  EXPECT_TRUE(meshd_->quiet());
}

}  // namespace
}  // namespace nuropb::edge
