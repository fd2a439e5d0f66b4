// A whole edge: messages of meshd to many sessions at once, and closing them.

#include "tests/unit/edge/edge_fixture.hpp"

namespace nuropb::edge {
namespace {

class EdgePushesTest : public EdgeTest {
 protected:
  static std::string refs(const std::vector<records::OpenSession>& sessions) {
    std::string out;
    for (const auto& session : sessions) records::SessionRefs::append(out, {session.session, session.serial});
    return out;
  }
  std::uint32_t taken(std::uint64_t op) {
    const auto answer = meshd_->next<records::Pushed>(Type::pushed).second;
    EXPECT_EQ(answer.op, op);
    return answer.taken;
  }
};

TEST_F(EdgePushesTest, ToAllAndToSome) {
  start_attached();
  std::vector<records::OpenSession> asked(3);
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (auto& one : asked) consumers.push_back(connect(&one));
  meshd_->send(Type::push, records::Push{1, true, false, {}, R"({"to":"all"})"});
  for (const auto& consumer : consumers) EXPECT_EQ(consumer->read_text(), R"({"to":"all"})");
  EXPECT_EQ(taken(1), 3u);
  auto stranger = asked[0];
  ++stranger.serial;  // an earlier session's, in the same slot
  const std::string some = refs({asked[2], stranger, asked[1]});
  meshd_->send(Type::push, records::Push{2, false, false, records::SessionRefs(some), "\"some\""});
  EXPECT_EQ(taken(2), 2u);
  EXPECT_EQ(consumers[1]->read_text(), "\"some\"");
  EXPECT_EQ(consumers[2]->read_text(), "\"some\"");
  EXPECT_TRUE(consumers[0]->silent());
}

TEST_F(EdgePushesTest, OfEverySizeOfFrame) {
  start_attached();
  const auto consumer = connect();
  for (const std::size_t size : {2, 125, 126, 127, 4096, 16 * 1024}) {
    const std::string text = "\"" + std::string(size - 2, 'x') + "\"";
    meshd_->send(Type::push, records::Push{size, true, false, {}, text});
    EXPECT_EQ(consumer->read_text(), text);
    EXPECT_EQ(taken(size), 1u);
  }
}

TEST_F(EdgePushesTest, NobodyCountsOperationNone) {
  start_attached();
  const auto consumer = connect();
  meshd_->send(Type::push, records::Push{0, true, false, {}, "1"});
  meshd_->send(Type::push, records::Push{7, true, false, {}, "2"});
  EXPECT_EQ(consumer->read_text(), "1");
  EXPECT_EQ(consumer->read_text(), "2");
  EXPECT_EQ(taken(7), 1u);
}

TEST_F(EdgePushesTest, AllAreThoseOfOneKind) {
  start_attached();
  const auto consumer = connect();
  meshd_->send(Type::push, records::Push{1, true, false, {}, "1", HandlerKind::lines});
  EXPECT_EQ(taken(1), 0u);
  meshd_->send(Type::close_sessions, records::CloseSessions{2, true, 4321, {}, "lines", HandlerKind::lines});
  EXPECT_EQ(taken(2), 0u);
  meshd_->send(Type::push, records::Push{3, true, false, {}, "3"});
  EXPECT_EQ(taken(3), 1u);
  EXPECT_EQ(consumer->read_text(), "3") << "and nothing came before it";
}

TEST_F(EdgePushesTest, WhoHasNoVerdictYetIsNotAmongAll) {
  start_attached();
  const auto open = connect();
  Consumer judged(port_);
  judged.handshake();
  const auto asked = meshd_->open();
  meshd_->send(Type::push, records::Push{1, true, false, {}, "1"});
  EXPECT_EQ(taken(1), 1u);
  meshd_->accept(asked);
  EXPECT_THAT(judged.read_text(), HasSubstr("hello")) << "and nothing before it";
}

TEST_F(EdgePushesTest, ClosesSomeAndAll) {
  start_attached();
  std::vector<records::OpenSession> asked(3);
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (auto& one : asked) consumers.push_back(connect(&one));
  const std::string one = refs({asked[1]});
  meshd_->send(Type::close_sessions, records::CloseSessions{1, false, 4321, records::SessionRefs(one), "enough"});
  EXPECT_EQ(taken(1), 1u);
  meshd_->send(Type::push, records::Push{2, true, false, {}, "1"});
  EXPECT_EQ(taken(2), 2u) << "one is closing";
  EXPECT_EQ(consumers[1]->read_close(), (Consumer::Close{4321, "enough"}));
  EXPECT_EQ(meshd_->closed().session, asked[1].session);
  meshd_->send(Type::close_sessions, records::CloseSessions{3, true, 1001, {}, ""});
  EXPECT_EQ(taken(3), 2u);
  for (const int i : {0, 2}) {
    EXPECT_EQ(consumers[static_cast<std::size_t>(i)]->read_text(), "1");
    EXPECT_EQ(consumers[static_cast<std::size_t>(i)]->read_close().code, 1001);
  }
}

}  // namespace
}  // namespace nuropb::edge
