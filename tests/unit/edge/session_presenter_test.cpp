#include "edge/relay/session_presenter.hpp"

#include "tests/unit/edge/relay_fixture.hpp"

namespace nuropb::edge {
namespace {

using records::Type;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SessionPresenterTest : public RelayTest {};

TEST_F(SessionPresenterTest, ASessionIsPresentedOnceThereIsAMeshd) {
  Client& client = join(session());
  attach();
  turn();
  const auto asked = meshd_->open();
  EXPECT_EQ(asked.credential, "secret");
  EXPECT_EQ(asked.peer, "10.0.0.1:1");
  meshd_->accept(asked);
  EXPECT_THAT(await_messages(client), ElementsAre(HasSubstr("hello")));
  EXPECT_EQ(sessions_.slots.sessions(), 1u);
}

TEST_F(SessionPresenterTest, ARefusedSessionIsClosedAndItsSlotFreed) {
  attach();
  Client& client = join(session());
  turn();
  const auto asked = meshd_->open();
  send(Type::session_refused, records::SessionRefused{asked.session, asked.serial, 4501, "no"});
  ASSERT_TRUE(eventually([&] { return client.connection.closed == 4501; }));
  client.receiver->on_close();
  turn();
  const auto closed = meshd_->closed();
  EXPECT_EQ(closed.session, asked.session);
  EXPECT_FALSE(closed.lost);
  EXPECT_EQ(join(session()).handler().slot(), asked.session);
}

TEST_F(SessionPresenterTest, TheFirstMessageHasTheToken) {
  attach();
  NewSession line = session("");
  line.bare_token_allowed = true;
  Client& bare = join(std::move(line));
  Client& proper = join(session(""));
  Client& wrong = join(session(""));
  bare.send("Bearer one");
  proper.send(R"({"type":"authorize","payload":{"token":"two","trace_id":"t"}})");
  wrong.send("three");
  turn();
  EXPECT_EQ(meshd_->open().credential, "one");
  EXPECT_EQ(meshd_->open().credential, "two");
  EXPECT_EQ(wrong.connection.closed, 4501);
  EXPECT_TRUE(meshd_->quiet());
}

TEST_F(SessionPresenterTest, OpensAndClosesWaitForRoomAndClosesGoFirst) {
  attach({1 << 12, 1 << 16});
  std::vector<Client*> clients;
  while (!link_.full()) clients.push_back(&join(session(std::string(500, 'x'))));
  Client& last = join(session("last"));
  clients.front()->receiver->on_close();
  turn();
  for (std::size_t i = 0; i + 1 < clients.size(); ++i) EXPECT_EQ(meshd_->open().credential.size(), 500u);
  ASSERT_TRUE(eventually([&] { return !link_.full(); }));
  turn();
  EXPECT_EQ(meshd_->closed().session, clients.front()->handler().slot());
  EXPECT_EQ(meshd_->open().credential.size(), 500u);
  EXPECT_EQ(meshd_->open().session, last.handler().slot());
}

}  // namespace
}  // namespace nuropb::edge
