#include "edge/relay/event_relay.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EventRelayTest : public RelayTest {
 protected:
  void subscribe(Client& client, const char* topic) {
    client.send(R"({"type":"subscribe","payload":{"topic":")" + std::string(topic) + R"(","trace_id":"s"}})");
    turn();
    const auto asked = meshd_->next<records::Subscription>(Type::subscribe);
    send(Type::response, records::Response{asked.second.session, "null", "null"}, asked.first.sequence);
    await_messages(client);
  }
  void event(std::string_view target) { send(Type::mesh_event, records::MeshEvent{"a.b", R"({"n":1})", "", target}); }
};

TEST_F(EventRelayTest, AnEventGoesToItsSubscribersAndTargets) {
  attach();
  Client& subscriber = join_accepted();
  Client& other = join_accepted();
  subscribe(subscriber, "a.*");
  event("null");
  EXPECT_THAT(await_messages(subscriber), ElementsAre(HasSubstr(R"("event":{"n":1})")));
  event(R"(["another user"])");
  event(R"(["user 1"])");
  EXPECT_EQ(await_messages(subscriber).size(), 1u);
  EXPECT_THAT(other.read(), IsEmpty());
  EXPECT_EQ(counter(shm::EdgeCounter::events), 2u);
}

TEST_F(EventRelayTest, ASubscriptionThatEndsIsToldAndBringsNoMoreEvents) {
  attach();
  Client& client = join_accepted();
  subscribe(client, "a.*");
  send(Type::subscription_ended,
       records::SubscriptionEnded{client.handler().slot(), client.handler().serial(), "a.*", R"({"error":"gone"})"});
  event("null");
  EXPECT_THAT(await_messages(client), ElementsAre(R"({"error":"gone"})"));
  turn();
  EXPECT_THAT(client.read(), IsEmpty());
}

}  // namespace
}  // namespace nuropb::edge
