#include "meshd/session_index.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nuropb::meshd {
namespace {

class SessionIndexTest : public ::testing::Test {
 protected:
  Session* open(WorkerId worker, std::uint32_t slot, const std::string& user,
                const SessionId& id = SessionId::random()) {
    Session* const session = table_.find(slot);
    session->state = SessionState::open;
    session->serial = slot + 100;
    session->id = id;
    session->identity = StoredIdentity({user, {}, {}});
    table_.opened();
    index_.add(worker, slot, *session);
    return session;
  }
  std::set<const Session*> of(std::string_view user) {
    std::set<const Session*> out;
    index_.each_of(user, [&](const Session& session) { EXPECT_TRUE(out.insert(&session).second) << "once each"; });
    return out;
  }
  SessionTable table_{1000};
  SessionIndex index_;
};

TEST_F(SessionIndexTest, FindsByIdAndByUser) {
  Session* const a = open({1, 2}, 0, "ann");
  Session* const b = open({1, 2}, 1, "bob");
  Session* const c = open({3, 4}, 2, "ann");
  EXPECT_EQ(index_.find(b->id), b);
  EXPECT_EQ(index_.find(SessionId::random()), nullptr);
  EXPECT_EQ(of("ann"), (std::set<const Session*>{a, c}));
  EXPECT_EQ(of("nobody"), std::set<const Session*>{});
  EXPECT_EQ(index_.sessions(), 3u);
  EXPECT_EQ(index_.users(), 2u);
  EXPECT_EQ(c->indexed.worker, (WorkerId{3, 4}));
  EXPECT_EQ(c->indexed.slot, 2u);
}

/// In any order: the first of a user's sessions, one in the middle, the last.
TEST_F(SessionIndexTest, EverySessionOfAUserCanGo) {
  for (int order = 0; order < 24; ++order) {
    std::vector<Session*> all;
    for (std::uint32_t slot = 0; slot < 4; ++slot) all.push_back(open({1, 1}, slot, "ann"));
    int rest = order;
    std::set<const Session*> left(all.begin(), all.end());
    for (int count = 4; count > 0; --count) {
      const auto which = all.begin() + rest % count;
      rest /= count;
      const SessionId id = (*which)->id;
      left.erase(*which);
      table_.close(**which);
      all.erase(which);
      EXPECT_EQ(index_.find(id), nullptr);
      EXPECT_EQ(of("ann"), left) << order;
    }
    EXPECT_EQ(index_.users(), 0u);
    EXPECT_EQ(index_.sessions(), 0u);
  }
}

TEST_F(SessionIndexTest, AnIdThatIsTakenStaysWhoseItIs) {
  Session* const first = open({1, 1}, 0, "ann");
  Session* const second = open({2, 2}, 1, "bob", first->id);
  EXPECT_EQ(index_.find(first->id), first);
  EXPECT_EQ(of("bob"), std::set<const Session*>{second});
  const SessionId id = first->id;
  table_.close(*second);
  EXPECT_EQ(index_.find(id), first) << "the other's end is not its end";
  table_.close(*first);
  EXPECT_EQ(index_.find(id), nullptr);
}

TEST_F(SessionIndexTest, AnonymousSessionsAreNobodys) {
  Session* const first = open({1, 1}, 0, "");
  Session* const second = open({1, 1}, 1, "");
  EXPECT_EQ(of(""), std::set<const Session*>{});
  EXPECT_EQ(index_.users(), 0u);
  EXPECT_EQ(index_.sessions(), 2u);
  EXPECT_EQ(index_.find(second->id), second);
  table_.close(*first);
  table_.close(*second);
  EXPECT_EQ(index_.sessions(), 0u);
}

TEST_F(SessionIndexTest, WhatASessionCostsHere) {
  // The budget of all that meshd keeps of a session is 512 bytes; the index adds its links to the session itself.
  EXPECT_LE(sizeof(Session::Indexed), 40u);
  EXPECT_LE(sizeof(Session), 512u);
}

TEST_F(SessionIndexTest, AddedTwiceIsAddedOnceAndRemovedTwiceRemovedOnce) {
  Session* const a = open({1, 1}, 0, "ann");
  index_.add({1, 1}, 0, *a);
  EXPECT_EQ(index_.sessions(), 1u);
  index_.remove(*a);
  index_.remove(*a);
  EXPECT_EQ(index_.sessions(), 0u);
}

}  // namespace
}  // namespace nuropb::meshd
