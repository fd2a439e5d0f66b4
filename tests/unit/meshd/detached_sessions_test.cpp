#include "meshd/resume/detached_sessions.hpp"

#include "common/close_codes.hpp"
#include "tests/unit/meshd/sessions_in_memory.hpp"

namespace nuropb::meshd {
namespace {

class DetachedSessionsTest : public SessionsInMemory {
 protected:
  DetachedSessionsTest() {
    config_.resume.window_ms = 1000;
    config_.resume.sessions = 2;
  }
  /// A session that is detached now; its id.
  SessionId detach(std::uint32_t slot) {
    open(slot);
    number_messages(slot);
    EXPECT_TRUE(sessions().keep(one, worker().sessions(), slot, close_code::going_away));
    return id_;
  }
  DetachedSessions& sessions() { return detached_sessions_; }

  int deadlines_ = 0;
  DetachedSessions detached_sessions_{config_.resume, clock_, mailboxes_, sessions_, [this] { ++deadlines_; }};
};

TEST_F(DetachedSessionsTest, OnlyASessionWhoseMessagesAreNumberedIsKept) {
  open(0);
  EXPECT_FALSE(sessions().keep(one, worker().sessions(), 0, close_code::going_away));
  number_messages(0);
  EXPECT_TRUE(sessions().keep(one, worker().sessions(), 0, close_code::going_away));
  EXPECT_EQ(sessions().table().open(), 1u);
  EXPECT_EQ(worker().sessions().open(), 0u);
  EXPECT_EQ(deadlines_, 1);
  EXPECT_EQ(sessions().next_deadline(), clock_.now() + milliseconds(1000));
}

TEST_F(DetachedSessionsTest, ASessionThatIsNotToComeBackIsNotKept) {
  open(0);
  number_messages(0);
  EXPECT_FALSE(sessions().keep(one, worker().sessions(), 0, 1000));
  EXPECT_EQ(sessions().why_ended(id_), "ended");
}

TEST_F(DetachedSessionsTest, OneThatIsReattachedIsTheSameSession) {
  const SessionId id = detach(0);
  Session* const found = faces_.all.web().sessions.find(id);
  ASSERT_NE(found, nullptr) << "it can still be found";
  const auto back = sessions().reattach(*found->mailbox);
  EXPECT_EQ(back.get(), found);
  EXPECT_EQ(sessions().table().open(), 0u);
  EXPECT_EQ(sessions().next_deadline(), SteadyTime::max());
  sessions_.forget(one, 0, *back);
}

TEST_F(DetachedSessionsTest, AfterItsTimeItIsDroppedAndTheReasonIsRemembered) {
  const SessionId id = detach(0);
  sessions().expire(clock_.now());
  EXPECT_EQ(sessions().counters().ended, 0u);
  clock_.advance(milliseconds(1000));
  sessions().expire(clock_.now());
  EXPECT_EQ(sessions().counters().ended, 1u);
  EXPECT_EQ(sessions().why_ended(id), "expired");
  EXPECT_EQ(faces_.all.web().sessions.find(id), nullptr);
  EXPECT_EQ(sessions().why_ended(SessionId::random()), "");
}

TEST_F(DetachedSessionsTest, TooManyMakeOneGiveWay) {
  const SessionId first = detach(0);
  clock_.advance(milliseconds(1));
  detach(1);
  clock_.advance(milliseconds(1));
  detach(2);
  EXPECT_EQ(sessions().table().open(), 2u);
  EXPECT_EQ(sessions().why_ended(first), "too_many");
}

}  // namespace
}  // namespace nuropb::meshd
