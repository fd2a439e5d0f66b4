#include "meshd/sessions/session_manager.hpp"

#include "common/close_codes.hpp"
#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;

class SessionManagerTest : public SessionsInMemory {};

TEST_F(SessionManagerTest, AnAcceptedTokenOpensTheSession) {
  const Session& session = present();
  EXPECT_EQ(session.state, SessionState::open);
  EXPECT_EQ(session.identity.user_id(), "ann");
  ASSERT_EQ(sent(), (std::vector{Type::session_accepted}));
  EXPECT_EQ(records::decode<records::SessionAccepted>(got_[0].payload)->user_id, "ann");
  EXPECT_EQ(faces_.all.web().sessions.find(id_), &session);
}

TEST_F(SessionManagerTest, ARefusedTokenDoesNot) {
  authorizer_.at_once = Verdict::refuse("for the test");
  EXPECT_EQ(present().state, SessionState::ended);
  ASSERT_EQ(sent(), (std::vector{Type::session_refused}));
  EXPECT_EQ(records::decode<records::SessionRefused>(got_[0].payload)->code, close_code::token_refused);
  EXPECT_EQ(sessions_.failures().refused, 1u);
  EXPECT_EQ(faces_.all.web().sessions.find(id_), nullptr);
}

TEST_F(SessionManagerTest, ATokenThatCantBeAuthenticatedNowIsNotCountedAsBad) {
  authorizer_.at_once = Verdict::later("for the test");
  present();
  ASSERT_EQ(sent(), (std::vector{Type::session_refused}));
  EXPECT_EQ(records::decode<records::SessionRefused>(got_[0].payload)->code, close_code::mesh_unavailable);
  EXPECT_EQ(sessions_.failures().refused, 0u);
  EXPECT_EQ(sessions_.failures().unavailable, 1u);
}

TEST_F(SessionManagerTest, ALateResultForASessionThatWasClosedIsIgnored) {
  authorizer_.at_once.reset();
  Session& session = present();
  sessions_.closed(worker(), {0, session.serial, false}, session);
  ASSERT_EQ(authorizer_.waiting.size(), 1u);
  authorizer_.waiting.front()(Verdict::accept(user("ann")));
  EXPECT_EQ(session.state, SessionState::closed);
  EXPECT_TRUE(sent().empty());
}

TEST_F(SessionManagerTest, AKindThatIsNotServedIsRefusedForNow) {
  present(0, HandlerKind::lines);
  ASSERT_EQ(sent(), (std::vector{Type::session_refused}));
  EXPECT_TRUE(authorizer_.asked.empty());
}

TEST_F(SessionManagerTest, AFreshTokenMustBeOfTheSameUser) {
  Session& session = open();
  authorizer_.at_once = Verdict::accept(user("bob"));
  sessions_.authorize({0, session.serial, "another", 0, "\"t\""}, session, from(1));
  EXPECT_NE(responses_.last().error, "null");
  EXPECT_EQ(session.identity.user_id(), "ann");
  EXPECT_EQ(sessions_.failures().other_user, 1u);
  authorizer_.at_once = Verdict::accept(user("ann"));
  sessions_.authorize({0, session.serial, "another", 0, "\"t\""}, session, from(2));
  EXPECT_EQ(responses_.last().error, "null");
}

TEST_F(SessionManagerTest, OneAuthorizeAtATime) {
  Session& session = open();
  authorizer_.at_once.reset();
  sessions_.authorize({0, session.serial, "another", 0, "\"t\""}, session, from(1));
  EXPECT_TRUE(responses_.all.empty());
  sessions_.authorize({0, session.serial, "another", 0, "\"t\""}, session, from(2));
  EXPECT_EQ(responses_.all.size(), 1u);
  EXPECT_EQ(responses_.all[0].to.sequence, 2u);
}

TEST_F(SessionManagerTest, EndingASessionForgetsItAndClosesItsSocket) {
  Session& session = open();
  const std::uint32_t serial = session.serial;
  sessions_.end(worker(), 0, session, close_code::revoked, "revoked");
  EXPECT_EQ(session.state, SessionState::ended);
  EXPECT_EQ(sent(), (std::vector{Type::end_session}));
  EXPECT_EQ(faces_.all.web().sessions.find(id_), nullptr);
  EXPECT_EQ(sockets_gone_, (std::vector{serial}));
}

TEST_F(SessionManagerTest, ASessionThatIsKeptLeavesItsSlotToOneThatIsIgnored) {
  open();
  keeper_.keeps = true;
  const std::uint32_t serial = session().serial;
  sessions_.end(worker(), 0, session(), close_code::going_away, "drained");
  EXPECT_EQ(sent(), (std::vector{Type::end_session}));
  EXPECT_EQ(session().state, SessionState::ended);
  EXPECT_EQ(session().serial, serial);
  EXPECT_EQ(detached_.open(), 1u);
}

TEST_F(SessionManagerTest, ALostWorkerAsksForEachOfItsSessions) {
  open(0);
  open(1);
  sessions_.worker_gone(worker());
  EXPECT_EQ(keeper_.asked, (std::vector<std::uint16_t>{close_code::going_away, close_code::going_away}));
  EXPECT_EQ(faces_.all.web().sessions.sessions(), 0u);
}

TEST_F(SessionManagerTest, AReloadEndsTheSessionsOfRevokedUsers) {
  Session& session = open();
  sessions_.reconsider_all();
  EXPECT_EQ(session.state, SessionState::open);
  authorizer_.revoked_token = "ann";
  sessions_.reconsider_all();
  EXPECT_EQ(session.state, SessionState::ended);
  EXPECT_EQ(sessions_.failures().revoked, 1u);
}

}  // namespace
}  // namespace nuropb::meshd
