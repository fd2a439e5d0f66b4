#include "edge/relay/snorky_relay.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnorkyRelayTest : public RelayTest {
 protected:
  Client& join_snorky() {
    NewSession from = session();
    from.protocol = &snorky_;
    return join_accepted(std::move(from));
  }
  static constexpr const char* join_channel =
      R"({"service":"pubsub","message":{"command":"subscribe","params":{"channel":"c"},"callId":7}})";
};

TEST_F(SnorkyRelayTest, WhatStandsIsKeptForTheNextMeshd) {
  attach();
  Client& client = join_snorky();
  client.send(join_channel);
  turn();
  const auto asked = meshd_->next<records::SnorkyCall>(Type::snorky_call);
  EXPECT_EQ(asked.second.command, "subscribe");
  send(Type::snorky_answer,
       records::SnorkyAnswer{asked.second.session, asked.second.serial, "key", join_channel, R"({"answer":1})"},
       asked.first.sequence);
  EXPECT_THAT(await_messages(client), ElementsAre(R"({"answer":1})"));
  EXPECT_EQ(client.handler().relayed().standing.at("key"), join_channel);
  attach();
  accept_again(client);
  EXPECT_TRUE((meshd_->next<records::SnorkyCall>(Type::snorky_call).second.restoring));
}

TEST_F(SnorkyRelayTest, ACallNeedsNoBroker) {
  attach();
  Client& client = join_snorky();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return !sender_.broker_ready(); }));
  client.send(join_channel);
  turn();
  (void)meshd_->next<records::SnorkyCall>(Type::snorky_call);
  EXPECT_TRUE(client.connection.reading);
}

TEST_F(SnorkyRelayTest, ACallThatIsInterruptedIsToldInItsProtocol) {
  attach();
  Client& client = join_snorky();
  client.send(join_channel);
  turn();
  (void)meshd_->next<records::SnorkyCall>(Type::snorky_call);
  attach();
  EXPECT_THAT(client.read(),
              ElementsAre(HasSubstr(R"("callId":7,"message":"The gateway was interrupted; the call may have run")")));
}

}  // namespace
}  // namespace nuropb::edge
