#include "edge/link/record_sender.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class RecordSenderTest : public SessionTest {};

TEST_F(RecordSenderTest, WritesNothingWithoutMeshd) {
  EXPECT_FALSE(sender_.meshd_ready());
  EXPECT_FALSE(sender_.send(records::Type::close_session, records::CloseSession{1, 2, false}));
  EXPECT_FALSE(sender_.send_new(records::Type::subscribe, records::Subscription{1, 2, "a", 0, {}}));
}

TEST_F(RecordSenderTest, GivesEachRecordThatIsAnsweredASequence) {
  EXPECT_FALSE(sender_.send_new(records::Type::subscribe, records::Subscription{1, 2, "lost", 0, {}}));
  attach();
  EXPECT_TRUE(sender_.broker_ready());
  const auto first = sender_.send_new(records::Type::subscribe, records::Subscription{1, 2, "a", 0, {}});
  EXPECT_TRUE(sender_.send(records::Type::close_session, records::CloseSession{3, 4, true}));
  const auto second = sender_.send_new(records::Type::subscribe, records::Subscription{1, 2, "b", 0, {}});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, 0u);  // what was not written has used none up
  EXPECT_EQ(*second, 1u);
  turn();
  EXPECT_EQ(meshd_->next<records::Subscription>(records::Type::subscribe).first.sequence, *first);
  EXPECT_TRUE(meshd_->closed().lost);
  EXPECT_EQ(meshd_->next<records::Subscription>(records::Type::subscribe).second.topic, "b");
}

TEST_F(RecordSenderTest, ABrokerThatIsAwayIsNeededBySomeOnly) {
  attach();
  meshd_->set_broker(shm::BrokerState::away);
  ASSERT_TRUE(eventually([&] { return !sender_.broker_ready(); }));
  EXPECT_TRUE(sender_.ready(false));
  EXPECT_FALSE(sender_.ready(true));
}

}  // namespace
}  // namespace nuropb::edge
