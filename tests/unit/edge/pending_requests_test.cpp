#include "edge/sessions/pending_requests.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nuropb::edge {
namespace {

class PendingRequestsTest : public ::testing::Test {
 protected:
  std::vector<std::string> expire() {
    std::vector<std::string> out;
    pending_.expire(clock_.now(), [&](const PendingRequests::Taken& taken) { out.push_back(taken.trace_id); });
    return out;
  }
  void add(std::uint64_t sequence, milliseconds ttl, SessionRequests* of = nullptr) {
    pending_.add(sequence, 1, of ? *of : session_, clock_.now() + ttl, std::to_string(sequence));
  }
  ManualClock clock_;
  SessionRequests session_, other_;
  PendingRequests pending_;
};

TEST_F(PendingRequestsTest, TheSecondAnswerIsNobodys) {
  add(7, milliseconds(1000));
  EXPECT_EQ(session_.count, 1u);
  const auto first = pending_.take(7);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->trace_id, "7");
  EXPECT_EQ(first->session, 1u);
  EXPECT_FALSE(pending_.take(7));
  EXPECT_EQ(session_.count, 0u);
}

TEST_F(PendingRequestsTest, CopiesAreBoundedForEachSession) {
  add(1, milliseconds(1000));
  add(2, milliseconds(1000));
  add(3, milliseconds(1000), &other_);
  for (const std::uint64_t sequence : {1, 2, 3}) pending_.keep(*pending_.find(sequence), "record", 10);
  EXPECT_EQ(pending_.find(1)->again, "record");
  EXPECT_EQ(pending_.find(2)->again, "") << "it would have been too much";
  EXPECT_EQ(pending_.find(3)->again, "record");
  pending_.take(1);
  pending_.keep(*pending_.find(2), "record", 10);
  EXPECT_EQ(pending_.find(2)->again, "record") << "ended requests have released their room";
  EXPECT_EQ(pending_.find(1), nullptr);
}

TEST_F(PendingRequestsTest, EachIsToldInOrderAndMayBeTaken) {
  for (const std::uint64_t sequence : {5, 2, 9, 7}) add(sequence, milliseconds(1000));
  std::vector<std::uint64_t> told;
  pending_.each([&](const PendingRequest& request) {
    told.push_back(request.sequence);
    if (request.sequence == 2) pending_.take(7);
    pending_.take(request.sequence);
  });
  EXPECT_EQ(told, (std::vector<std::uint64_t>{2, 5, 9}));
  EXPECT_EQ(pending_.size(), 0u);
}

TEST_F(PendingRequestsTest, ExpiresNeverEarlyAndSoonAfter) {
  add(1, milliseconds(100));
  clock_.advance(milliseconds(99));
  EXPECT_TRUE(expire().empty());
  clock_.advance(milliseconds(1) + PendingRequests::tick);
  EXPECT_EQ(expire(), std::vector<std::string>{"1"});
  EXPECT_TRUE(expire().empty()) << "once";
  EXPECT_FALSE(pending_.take(1)) << "its late answer is dropped";
  EXPECT_EQ(session_.count, 0u);
}

TEST_F(PendingRequestsTest, ADeadlineThatHasPassedAlreadyExpiresAtTheNextLook) {
  (void)expire();
  clock_.advance(milliseconds(500));
  (void)expire();
  add(1, milliseconds(-300));
  clock_.advance(PendingRequests::tick * 2);
  EXPECT_EQ(expire(), std::vector<std::string>{"1"});
}

TEST_F(PendingRequestsTest, LongerThanATurnOfTheWheel) {
  const auto hours = std::chrono::duration_cast<milliseconds>(std::chrono::hours(2));
  add(1, hours);
  for (auto left = hours; left > milliseconds(1000); left -= milliseconds(1000)) {
    clock_.advance(milliseconds(1000));
    ASSERT_TRUE(expire().empty());
  }
  clock_.advance(milliseconds(1000) + PendingRequests::tick);
  EXPECT_EQ(expire(), std::vector<std::string>{"1"});
}

TEST_F(PendingRequestsTest, NothingIsMissedAfterALongSleep) {
  for (std::uint64_t i = 1; i <= 100; ++i) add(i, milliseconds(10 * i));
  ASSERT_TRUE(expire().empty());
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(expire().size(), 100u);
  EXPECT_EQ(pending_.size(), 0u);
}

TEST_F(PendingRequestsTest, ASessionTakesItsRequestsAlong) {
  add(1, milliseconds(50));
  add(2, milliseconds(50), &other_);
  add(3, milliseconds(50));
  pending_.drop(session_);
  EXPECT_EQ(pending_.size(), 1u);
  EXPECT_EQ(session_.count, 0u);
  EXPECT_FALSE(pending_.take(1));
  clock_.advance(milliseconds(100));
  EXPECT_EQ(expire(), std::vector<std::string>{"2"});
}

TEST_F(PendingRequestsTest, WhoeverIsToldMayAddAndDrop) {
  for (std::uint64_t i = 0; i < 10; ++i) add(i, milliseconds(10));
  clock_.advance(milliseconds(100));
  int told = 0;
  pending_.expire(clock_.now(), [&](const PendingRequests::Taken&) {
    if (++told == 3) pending_.drop(session_);
    if (told == 1) add(100, milliseconds(1000), &other_);
  });
  EXPECT_EQ(told, 3);
  EXPECT_EQ(pending_.size(), 1u);
}

TEST_F(PendingRequestsTest, AllAtOnceInTheirOrder) {
  for (const std::uint64_t i : {5, 3, 9}) add(i, milliseconds(10));
  std::vector<std::string> out;
  pending_.take_all([&](const PendingRequests::Taken& taken) { out.push_back(taken.trace_id); });
  EXPECT_EQ(out, (std::vector<std::string>{"3", "5", "9"}));
  EXPECT_EQ(session_.count, 0u);
}

TEST_F(PendingRequestsTest, EachEndsExactlyOnceWhateverHappens) {
  std::mt19937 random(3);
  std::vector<int> ends(5000, 0);
  std::uint64_t next = 0;
  const auto ended = [&](const PendingRequests::Taken& taken) { ++ends[std::stoul(taken.trace_id)]; };
  while (next < ends.size() || pending_.size() > 0) {
    for (int i = 0; i < 5 && next < ends.size(); ++i) add(next++, milliseconds(random() % 3000));
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t sequence = random() % (next + 10);
      if (const auto taken = pending_.take(sequence)) ended(*taken);
    }
    clock_.advance(milliseconds(random() % 40));
    pending_.expire(clock_.now(), ended);
  }
  for (std::size_t i = 0; i < ends.size(); ++i) ASSERT_EQ(ends[i], 1) << i;
}

}  // namespace
}  // namespace nuropb::edge
