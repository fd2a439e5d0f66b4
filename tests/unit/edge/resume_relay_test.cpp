#include "edge/relay/resume_relay.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Resumed;
using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ResumeRelayTest : public RelayTest {
 protected:
  Client& join_resumable() {
    Client& client = join_accepted();
    client.handler().relayed().topics = {"a"};
    send(Type::resumed, Resumed{Resumed::What::kept, client.handler().slot(), client.handler().serial(), 7,
                                client.handler().session_id(), "token", ""});
    EXPECT_TRUE(eventually([&] { return client.handler().numbered(); }));
    return client;
  }
  records::Resume next() { return meshd_->next<records::Resume>(Type::resume).second; }
};

TEST_F(ResumeRelayTest, MessagesOfMeshdCarryTheirNumbers) {
  attach();
  Client& client = join_resumable();
  records::Numbered message;
  message.session = client.handler().slot();
  message.serial = client.handler().serial();
  message.number = 8;
  message.text = R"({"a":1})";
  send(Type::numbered, message);
  EXPECT_THAT(await_messages(client), ElementsAre(R"({"seq":8,"a":1})"));
  EXPECT_EQ(client.handler().relayed().numbered->last, 8u);
}

TEST_F(ResumeRelayTest, WhatTheEdgeTellsOfARequestGoesByWayOfMeshd) {
  attach();
  Client& client = join_resumable();
  client.send(request_text("a"));
  turn();
  (void)meshd_->request();
  attach();  // another meshd: nobody knows whether the request has run
  EXPECT_THAT(client.read(), IsEmpty());
  accept_again(client);
  EXPECT_EQ(next().what, records::Resume::What::again);
  (void)meshd_->next<records::Subscription>(Type::subscribe);
  const auto say = next();
  EXPECT_EQ(say.what, records::Resume::What::say);
  EXPECT_THAT(std::string(say.text), HasSubstr(R"("outcome":"unknown")"));
}

TEST_F(ResumeRelayTest, ASessionThatResumesAnotherHasItsId) {
  attach();
  Client& client = join_accepted();
  const SessionId earlier = SessionId::random();
  send(Type::resumed, Resumed{Resumed::What::resumed, client.handler().slot(), client.handler().serial(), 3, earlier,
                              "token", R"({"resumed":true})"});
  EXPECT_THAT(await_messages(client), ElementsAre(R"({"resumed":true})"));
  EXPECT_EQ(client.handler().session_id(), earlier);
  EXPECT_EQ(sessions_.slots.manager(HandlerKind::web_socket).get_handler(earlier), &client.handler());
  EXPECT_EQ(sessions_.slots.sessions(), 1u);
}

TEST_F(ResumeRelayTest, ASessionThatMeshdOnlyHalfKnowsIsNotResumable) {
  attach();
  Client& client = join_resumable();
  client.handler().relayed().restoring = true;
  client.connection.ended_with = 1006;
  client.receiver->on_close();
  turn();
  EXPECT_FALSE(meshd_->closed().lost);
}

TEST_F(ResumeRelayTest, AnAckGoesToMeshdIfTheSessionIsResumable) {
  attach();
  Client& client = join_accepted();
  client.send(R"({"type":"ack","payload":{"seq":5}})");
  EXPECT_THAT(client.read(), ElementsAre(HasSubstr("nothing is kept for this session")));
  Client& resumable = join_resumable();
  resumable.send(R"({"type":"ack","payload":{"seq":5}})");
  turn();
  const auto seen = next();
  EXPECT_EQ(seen.what, records::Resume::What::seen);
  EXPECT_EQ(seen.number, 5u);
}

}  // namespace
}  // namespace nuropb::edge
