#include "edge/link/link_backlog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nuropb::edge {
namespace {

using ::testing::ElementsAre;
using Lane = LinkBacklog::Lane;

class LinkBacklogTest : public ::testing::Test {
 protected:
  /// A record that is written while there is room.
  LinkBacklog::Write record(std::string name) {
    return [this, name = std::move(name)] {
      if (room_ == 0) return false;
      --room_;
      written_.push_back(name);
      return true;
    };
  }
  int room_ = 0;
  std::vector<std::string> written_;
  LinkBacklog backlog_;
};

TEST_F(LinkBacklogTest, WritesAtOnceWhereThereIsRoom) {
  room_ = 1;
  backlog_.add(Lane::open_session, record("a"));
  EXPECT_THAT(written_, ElementsAre("a"));
  EXPECT_EQ(backlog_.size(Lane::open_session), 0u);
}

TEST_F(LinkBacklogTest, DrainsLaneByLaneAndEachInOrder) {
  for (const char* name : {"c1", "c2"}) backlog_.add(Lane::push_counts, record(name));
  for (const char* name : {"b1", "b2"}) backlog_.add(Lane::open_session, record(name));
  backlog_.add(Lane::close_session, record("a"));
  room_ = 5;
  backlog_.drain();
  EXPECT_THAT(written_, ElementsAre("a", "b1", "b2", "c1", "c2"));
}

TEST_F(LinkBacklogTest, GoesOnWhereItHasEnded) {
  for (const char* name : {"a", "b", "c"}) backlog_.add(Lane::open_session, record(name));
  room_ = 2;
  backlog_.drain();
  EXPECT_THAT(written_, ElementsAre("a", "b"));
  room_ = 2;
  backlog_.drain();
  backlog_.drain();
  EXPECT_THAT(written_, ElementsAre("a", "b", "c"));
}

TEST_F(LinkBacklogTest, OfALostMeshdOnlyClosedSessionsRemain) {
  backlog_.add(Lane::open_session, record("opened"));
  backlog_.add(Lane::push_counts, record("count"));
  backlog_.add(Lane::close_session, record("closed"));
  room_ = 3;
  backlog_.on_lost();
  backlog_.drain();
  EXPECT_THAT(written_, ElementsAre("closed"));
}

TEST_F(LinkBacklogTest, ARecordMayAddAnother) {
  backlog_.add(Lane::restore_session, [this] {
    if (room_ == 0) return false;
    backlog_.add(Lane::resume_answers, record("answer"));
    return true;
  });
  room_ = 1;
  backlog_.drain();
  EXPECT_THAT(written_, ElementsAre("answer"));
}

}  // namespace
}  // namespace nuropb::edge
