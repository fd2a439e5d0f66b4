#include "meshd/resume/mailbox_delivery.hpp"

#include <gtest/gtest.h>

#include "tests/unit/meshd/faces_in_memory.hpp"
#include "tests/unit/meshd/fake_workers.hpp"

namespace nuropb::meshd {
namespace {

using records::Type;

class MailboxDeliveryTest : public ::testing::Test {
 protected:
  MailboxDeliveryTest() {
    Identity identity;
    identity.user_id = "ann";
    session_.state = SessionState::open;
    session_.serial = 9;
    session_.identity = StoredIdentity(identity);
    workers_.add(one);
  }
  void number_messages() {
    session_.mailbox = std::make_unique<Mailbox>(mailboxes_, session_, 0);
    mailboxes_.move(*session_.mailbox, Mailbox::Place{one, slot});
  }
  template <class Record>
  Record only(Type type) {
    got_ = workers_.read(one);
    if (got_.size() != 1 || got_[0].type != type) throw std::runtime_error("other records were sent");
    auto record = records::decode<Record>(got_[0].payload);
    if (!record) throw std::runtime_error("can't be decoded");
    return *record;
  }

  static constexpr WorkerId one{1, 7};
  static constexpr std::uint32_t slot = 3;
  Config config_;
  ManualClock clock_;
  FakeWorkers workers_;
  FacesInMemory faces_{config_, clock_};
  Mailboxes mailboxes_{{1U << 20, 1U << 20}};
  int deadlines_ = 0;
  MailboxDelivery delivery_{mailboxes_, workers_, faces_.all, [this] { ++deadlines_; }};
  Session session_;
  std::vector<FakeWorker::Got> got_;
};

TEST_F(MailboxDeliveryTest, ANoticeGoesToTheEdgeOfASessionThatIsNotNumbered) {
  delivery_.notify(*workers_.find(one), slot, session_, R"({"a":1})");
  const auto notice = only<records::SessionNotice>(Type::session_notice);
  EXPECT_EQ(notice.session, slot);
  EXPECT_EQ(notice.serial, 9u);
  EXPECT_FALSE(delivery_.any());
}

TEST_F(MailboxDeliveryTest, ANoticeToANumberedSessionHasTheNextNumber) {
  number_messages();
  delivery_.notify(*workers_.find(one), slot, session_, R"({"a":1})");
  EXPECT_EQ(only<records::Numbered>(Type::numbered).number, 1u);
  delivery_.notify(*workers_.find(one), slot, session_, R"({"a":2})");
  EXPECT_EQ(only<records::Numbered>(Type::numbered).number, 2u);
  EXPECT_TRUE(delivery_.any());
}

TEST_F(MailboxDeliveryTest, ADetachedSessionKeepsItsMessages) {
  number_messages();
  mailboxes_.move(*session_.mailbox, {});
  delivery_.say(*session_.mailbox, R"({"a":1})");
  EXPECT_TRUE(workers_.read(one).empty());
  EXPECT_EQ(session_.mailbox->last(), 1u);
  mailboxes_.move(*session_.mailbox, Mailbox::Place{one, slot});
  delivery_.hand_over(*session_.mailbox);
  EXPECT_EQ(only<records::Numbered>(Type::numbered).number, 1u);
}

TEST_F(MailboxDeliveryTest, AResponseEndsARequestOnce) {
  number_messages();
  const ReturnAddress from = faces_.all.of(session_).address(one, slot, 42);
  ASSERT_TRUE(delivery_.await(session_, Type::request, from, "\"t\"", clock_.now() + milliseconds(100)));
  EXPECT_EQ(deadlines_, 1);
  EXPECT_TRUE(delivery_.awaits(from));
  EXPECT_TRUE(delivery_.deliver(done(from, "7")));
  const auto numbered = only<records::Numbered>(Type::numbered);
  EXPECT_TRUE(numbered.answers);
  EXPECT_EQ(got_[0].sequence, 42u);
  EXPECT_NE(numbered.text.find("\"result\":7"), std::string_view::npos) << numbered.text;
  EXPECT_FALSE(delivery_.awaits(from));
  EXPECT_FALSE(delivery_.deliver(done(from, "8"))) << "it is no request of a mailbox any more";
}

TEST_F(MailboxDeliveryTest, SubscriptionsOfANumberedSessionDoNotMoveWithItsSocket) {
  const ReturnAddress plain = delivery_.holder(one, slot, session_);
  EXPECT_EQ(plain.slot, one.slot);
  EXPECT_EQ(plain.session, slot);
  number_messages();
  const ReturnAddress numbered = delivery_.holder(one, slot, session_);
  EXPECT_EQ(numbered.slot, numbered_worker.slot);
  EXPECT_EQ(numbered, delivery_.holder({2, 9}, 5, session_));
}

TEST_F(MailboxDeliveryTest, TheEndOfASubscriptionIsToldToTheClientOnce) {
  delivery_.end_subscription(workers_.find(one), slot, session_, "a.*", R"({"error":"x"})");
  EXPECT_EQ(only<records::SubscriptionEnded>(Type::subscription_ended).error, R"({"error":"x"})");
  number_messages();
  delivery_.end_subscription(workers_.find(one), slot, session_, "a.*", R"({"error":"x"})");
  const auto got = workers_.read(one);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].type, Type::numbered);
  EXPECT_EQ(got[1].type, Type::subscription_ended);
  EXPECT_TRUE(records::decode<records::SubscriptionEnded>(got[1].payload)->error.empty()) << "the edge says nothing";
}

}  // namespace
}  // namespace nuropb::meshd
