#include "edge/relay/push_relay.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PushRelayTest : public RelayTest {
 protected:
  records::Pushed report() {
    EXPECT_TRUE(eventually([&] { return !meshd_->quiet(); }));
    return meshd_->next<records::Pushed>(Type::pushed).second;
  }
};

TEST_F(PushRelayTest, AMessageForAllIsInTheFormOfEachProtocol) {
  attach();
  NewSession from = session();
  from.protocol = &snorky_;
  Client& snorky = join_accepted(std::move(from));
  Client& plain = join_accepted();
  Client& waiting = join(session());
  turn();
  (void)meshd_->open();
  records::Push push;
  push.op = 9;
  push.all = true;
  push.text = "{}";
  send(Type::push, push);
  const auto told = report();
  EXPECT_EQ(told.op, 9u);
  EXPECT_EQ(told.taken, 2u);
  EXPECT_THAT(plain.read(), ElementsAre("{}"));
  EXPECT_THAT(snorky.read(), ElementsAre(R"({"service":"gateway","message":{}})"));
  EXPECT_THAT(waiting.read(), IsEmpty());
}

TEST_F(PushRelayTest, SessionsAreClosedAndCounted) {
  attach();
  Client& client = join_accepted();
  records::CloseSessions close;
  close.op = 4;
  close.all = true;
  close.code = 4502;
  send(Type::close_sessions, close);
  EXPECT_EQ(report().taken, 1u);
  EXPECT_EQ(client.connection.closed, 4502);
}

TEST_F(PushRelayTest, ANoticeIsForOneSession) {
  attach();
  Client& client = join_accepted();
  send(Type::session_notice, records::SessionNotice{client.handler().slot(), client.handler().serial() + 1, "{}"});
  send(Type::session_notice, records::SessionNotice{client.handler().slot(), client.handler().serial(), "[]"});
  EXPECT_THAT(await_messages(client), ElementsAre("[]"));
}

}  // namespace
}  // namespace nuropb::edge
