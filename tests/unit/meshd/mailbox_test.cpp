#include "meshd/mailbox.hpp"

#include <gtest/gtest.h>

#include "meshd/session_table.hpp"

namespace nuropb::meshd {
namespace {

std::shared_ptr<const std::string> text(std::size_t size) { return std::make_shared<const std::string>(size, 'x'); }

class MailboxTest : public ::testing::Test {
 protected:
  /// Room for four messages of 40 bytes each, and for six together.
  Mailboxes all_{{4 * (40 + Mailboxes::overhead), 6 * (40 + Mailboxes::overhead), 32, 3 * Mailboxes::pending_overhead}};
  Session ann_ = of("ann"), bob_ = of("bob");
  static Session of(std::string user) {
    Session out;
    out.identity = StoredIdentity({std::move(user), {}, {}});
    return out;
  }
  void add(Mailbox& box, std::size_t size = 40) {
    all_.add(box, text(size));
    box.handed = box.last();
    all_.trim(box);
  }
  static ReturnAddress from(std::uint64_t sequence) { return {1, 2, 3, 4, sequence}; }
  static Mailbox::Pending pending(std::uint64_t sequence, SteadyTime deadline = SteadyTime(milliseconds(100)),
                                  std::string trace_id = "\"t\"") {
    return {from(sequence), 7, records::Type::request, std::move(trace_id), {}, deadline};
  }
};

TEST_F(MailboxTest, NumbersHaveNoHoles) {
  Mailbox box(all_, ann_, 10);
  for (int i = 0; i < 3; ++i) add(box);
  EXPECT_EQ(box.last(), 13u);
  EXPECT_EQ(box.gone(), 10u);
  for (std::uint64_t n = 10; n < 13; ++n) {
    ASSERT_NE(box.after(n), nullptr) << n;
    EXPECT_EQ(box.after(n)->number, n + 1);
  }
  EXPECT_EQ(box.after(13), nullptr);
  EXPECT_EQ(box.after(9), nullptr) << "before the first";
}

TEST_F(MailboxTest, WhatWasSeenGoes) {
  Mailbox box(all_, ann_, 0);
  for (int i = 0; i < 4; ++i) add(box);
  all_.seen(box, 2);
  EXPECT_EQ(box.gone(), 2u);
  EXPECT_EQ(box.after(1), nullptr);
  EXPECT_EQ(box.after(2)->number, 3u);
  all_.seen(box, 1);
  EXPECT_EQ(box.gone(), 2u) << "nothing comes back";
  all_.seen(box, 99);
  EXPECT_EQ(box.gone(), 4u);
  EXPECT_EQ(box.bytes(), 0u);
  EXPECT_EQ(all_.bytes(), 0u);
  EXPECT_EQ(all_.let_go(), 0u);
}

TEST_F(MailboxTest, OverItsBoundTheOldestGoesUnseen) {
  Mailbox box(all_, ann_, 0);
  for (int i = 0; i < 6; ++i) add(box);
  EXPECT_EQ(box.gone(), 2u);
  EXPECT_EQ(all_.let_go(), 2u);
  add(box, 10'000);
  EXPECT_EQ(box.gone(), 7u) << "what is larger than a mailbox is handed over, and not kept";
  EXPECT_EQ(box.bytes(), 0u);
}

TEST_F(MailboxTest, OverTheBoundOfAllWhoHasMostGivesWay) {
  Mailbox large(all_, ann_, 0), small(all_, bob_, 0);
  for (int i = 0; i < 4; ++i) add(large);
  for (int i = 0; i < 2; ++i) add(small);
  EXPECT_EQ(large.gone(), 0u);
  add(small);
  EXPECT_EQ(large.gone(), 1u) << "not who has said so little";
  EXPECT_EQ(small.gone(), 0u);
  EXPECT_LE(all_.bytes(), 6 * (40 + Mailboxes::overhead));
}

TEST_F(MailboxTest, ManyMailboxesOfAUserTakeNothingFromOthers) {
  Mailbox victim(all_, bob_, 0);
  for (int i = 0; i < 3; ++i) add(victim);
  std::vector<std::unique_ptr<Mailbox>> crowd;
  for (int i = 0; i < 30; ++i) add(*crowd.emplace_back(std::make_unique<Mailbox>(all_, ann_, 0)));
  EXPECT_EQ(victim.gone(), 0u) << "the largest of all, but ann has more";
  EXPECT_LE(all_.bytes(), 6 * (40 + Mailboxes::overhead));
  crowd.clear();
  EXPECT_EQ(all_.bytes(), 3 * (40 + Mailboxes::overhead));
  // The larger one, alone or together with the others.
  Mailbox one(all_, ann_, 0);
  for (int i = 0; i < 4; ++i) add(one);
  EXPECT_EQ(one.gone(), 1u);
  EXPECT_EQ(victim.gone(), 0u);
}

TEST_F(MailboxTest, WhoWaitsLongestForRoomComesFirst) {
  const WorkerId here{1, 1}, there{2, 1};
  Mailbox a(all_, ann_, 0), b(all_, ann_, 0), c(all_, bob_, 0), d(all_, bob_, 0);
  for (Mailbox* const box : {&a, &b, &c}) all_.move(*box, Mailbox::Place{here, box->id()});
  all_.wait_for_room(d);
  EXPECT_EQ(all_.next_for_room(here), nullptr) << "one that is parked waits for nothing";
  all_.move(d, Mailbox::Place{there, 1});
  for (Mailbox* const box : {&b, &a, &d, &c, &b}) all_.wait_for_room(*box);
  EXPECT_EQ(all_.next_for_room(here), &b);
  all_.wait_for_room(b);
  EXPECT_EQ(all_.next_for_room(here), &a);
  all_.move(c, {});
  EXPECT_EQ(all_.next_for_room(here), &b) << "c has gone elsewhere, and b is behind it";
  EXPECT_EQ(all_.next_for_room(here), nullptr);
  {
    Mailbox gone(all_, ann_, 0);
    all_.move(gone, Mailbox::Place{here, 9});
    all_.wait_for_room(gone);
  }
  EXPECT_EQ(all_.next_for_room(here), nullptr);
  EXPECT_EQ(all_.next_for_room(there), &d);
}

TEST_F(MailboxTest, WhatIsLetGoBeforeItsEdgeHadItIsTold) {
  Mailbox box(all_, ann_, 0), parked(all_, bob_, 0);
  all_.move(box, Mailbox::Place{{1, 1}, 0});
  for (int i = 0; i < 6; ++i) add(box);
  EXPECT_FALSE(all_.any_overrun()) << "its edge has had them";
  for (int i = 0; i < 4; ++i) all_.add(box, text(40));
  all_.trim(box);
  EXPECT_FALSE(all_.any_overrun());
  for (int i = 0; i < 3; ++i) all_.add(box, text(40));
  all_.trim(box);
  EXPECT_EQ(all_.take_overrun(), std::vector<std::uint32_t>{box.id()}) << "once";
  EXPECT_TRUE(all_.take_overrun().empty());
  for (int i = 0; i < 9; ++i) all_.add(parked, text(40));
  all_.trim(parked);
  EXPECT_FALSE(all_.any_overrun()) << "its client is told when it resumes";
}

TEST_F(MailboxTest, AnAnswerEndsItsRequestOnce) {
  Mailbox box(all_, ann_, 0);
  const auto number = all_.wait(box, pending(5));
  ASSERT_TRUE(number);
  EXPECT_EQ(all_.find(from(5)).box, &box);
  EXPECT_EQ(all_.find(from(5)).pending, *number);
  EXPECT_EQ(all_.find(from(6)).box, nullptr);
  EXPECT_TRUE(all_.answer(box, *number, text(1), RequestOutcome::ok));
  EXPECT_FALSE(all_.answer(box, *number, text(1), RequestOutcome::ok));
  EXPECT_EQ(box.last(), 1u);
  EXPECT_EQ(box.after(0)->answers->from, from(5));
  EXPECT_EQ(all_.find(from(5)).box, nullptr);
}

TEST_F(MailboxTest, NoAddressTwiceAndNoMoreTextThanTheBound) {
  Mailbox box(all_, ann_, 0), other(all_, bob_, 0);
  ASSERT_TRUE(all_.wait(box, pending(1)));
  EXPECT_FALSE(all_.wait(other, pending(1))) << "a request waits there";
  EXPECT_FALSE(all_.wait(box, pending(2, SteadyTime(milliseconds(1)), std::string(40, '1'))));
  ASSERT_TRUE(all_.wait(box, pending(2, SteadyTime(milliseconds(1)), std::string(26, '1'))));
  EXPECT_FALSE(all_.wait(box, pending(3))) << "32 bytes, and one for each";
  ASSERT_TRUE(all_.take(box, all_.find(from(2)).pending));
  EXPECT_TRUE(all_.wait(box, pending(3)));
}

TEST_F(MailboxTest, NoWorkerHasMoreThanItsShare) {
  Mailbox box(all_, ann_, 0), other(all_, bob_, 0);
  ASSERT_TRUE(all_.wait(box, pending(1)));
  ASSERT_TRUE(all_.wait(other, pending(2)));
  EXPECT_FALSE(all_.wait(other, pending(3)));
  Mailbox::Pending elsewhere = pending(3);
  elsewhere.from.slot = 3;
  EXPECT_TRUE(all_.wait(other, elsewhere)) << "of another worker";
  all_.take(box, all_.find(from(1)).pending);
  EXPECT_TRUE(all_.wait(box, pending(3)));
}

TEST_F(MailboxTest, DeadlinesComeInTheirOrder) {
  Mailbox box(all_, ann_, 0);
  EXPECT_EQ(all_.next_deadline(), SteadyTime::max());
  ASSERT_TRUE(all_.wait(box, pending(1, SteadyTime(milliseconds(30)))));
  ASSERT_TRUE(all_.wait(box, pending(2, SteadyTime(milliseconds(10)))));
  EXPECT_EQ(all_.next_deadline(), SteadyTime(milliseconds(10)));
  EXPECT_FALSE(all_.due(SteadyTime(milliseconds(9))));
  const auto due = all_.due(SteadyTime(milliseconds(10)));
  ASSERT_TRUE(due);
  EXPECT_EQ(due->pending, all_.find(from(2)).pending);
  all_.take(*due->box, due->pending);
  EXPECT_FALSE(all_.due(SteadyTime(milliseconds(10))));
  EXPECT_EQ(all_.next_deadline(), SteadyTime(milliseconds(30)));
}

TEST_F(MailboxTest, TopicsFindTheirBoxes) {
  Mailbox box(all_, ann_, 0), other(all_, bob_, 0);
  all_.add_topic(box, "a.#");
  all_.add_topic(box, "a.*");
  all_.add_topic(other, "a.b");
  std::vector<Mailbox*> found;
  all_.match("a.b", found);
  EXPECT_EQ(found, (std::vector<Mailbox*>{&box, &other})) << "each once";
  all_.remove_topic(box, "a.#");
  all_.remove_topic(box, "a.#");
  all_.match("a.b.c", found);
  EXPECT_TRUE(found.empty());
}

TEST_F(MailboxTest, WithItsSessionAllOfItGoes) {
  {
    Mailbox box(all_, ann_, 0);
    add(box);
    ASSERT_TRUE(all_.wait(box, pending(1)));
    all_.add_topic(box, "#");
    EXPECT_EQ(all_.count(), 1u);
  }
  EXPECT_EQ(all_.count(), 0u);
  EXPECT_EQ(all_.bytes(), 0u);
  EXPECT_EQ(all_.find(from(1)).box, nullptr);
  EXPECT_EQ(all_.next_deadline(), SteadyTime::max());
  std::vector<Mailbox*> found;
  all_.match("a", found);
  EXPECT_TRUE(found.empty());
}

TEST_F(MailboxTest, ASessionMovesFromTableToTableAsItIs) {
  SessionTable from(10), to(10);
  Session* const session = from.find(3);
  session->state = SessionState::open;
  session->serial = 4;
  from.opened();
  session->mailbox = std::make_unique<Mailbox>(all_, *session, 0);
  to.adopt(7, from.release(3));
  EXPECT_EQ(from.open(), 0u);
  EXPECT_EQ(from.find(3, 4), nullptr);
  EXPECT_EQ(to.open(), 1u);
  EXPECT_EQ(to.find(7, 4), session) << "pointers to it stay valid";
  EXPECT_EQ(&session->mailbox->owner(), session);
  EXPECT_EQ(from.release(3), nullptr);
}

}  // namespace
}  // namespace nuropb::meshd
