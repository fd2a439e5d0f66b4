#include "meshd/mesh/trial_queue.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb::mesh {
namespace {

const SteadyTime now = std::chrono::steady_clock::now();
constexpr std::size_t large = 100'000;
constexpr std::uint64_t ann = 11, bob = 12, cid = 13;

Outgoing message(const std::string& id, std::uint64_t source, MessageType type, std::size_t size) {
  Outgoing out;
  out.type = type;
  out.correlation_id = id;
  out.routing_key = type == MessageType::event ? "topic." + id : "service";
  out.source = source;
  out.body.assign(size, 'x');
  return out;
}

class TrialQueueTest : public ::testing::Test {
 protected:
  void push(Outgoing message, bool follows = false, std::uint64_t after = 0) {
    queue_.push({std::move(message), ++pushed_}, follows, after);
  }
  void event(const std::string& id, std::uint64_t source) { push(message(id, source, MessageType::event, 1)); }
  void request(const std::string& id, std::uint64_t source, std::size_t size = large) {
    push(message(id, source, MessageType::request, size));
  }
  /// Sends what may be sent now; returns the ids.
  std::string goes() {
    std::string out;
    while (const Outgoing* const next = queue_.next(bounds_, {on_way_.size(), settled_}, now_)) {
      out += (out.empty() ? "" : " ") + next->correlation_id;
      on_way_.push_back(queue_.take(true));
    }
    return out;
  }
  /// The broker has confirmed the oldest message in flight.
  void confirmed() {
    const Outgoing& one = on_way_.front();
    bounds_.took(one.type, one.routing_key, one.body.size());
    queue_.settled(TrialQueue::source_of(one));
    on_way_.erase(on_way_.begin());
  }
  void no_topic() { bounds_.be_careful(); }

  BrokerBounds bounds_{"events"};
  TrialQueue queue_;
  std::vector<Outgoing> on_way_;
  std::uint64_t pushed_ = 0, settled_ = 0;
  SteadyTime now_ = now;
};

TEST_F(TrialQueueTest, AnUntriedSizeGoesAlone) {
  request("a1", ann, large);
  request("b1", bob, large + 1);
  request("b2", bob, large + 2);
  EXPECT_EQ(goes(), "a1");
  EXPECT_EQ(goes(), "");
  confirmed();
  EXPECT_EQ(goes(), "b1");
  confirmed();
  EXPECT_EQ(goes(), "b2");
  confirmed();
  request("c1", cid);
  request("a2", ann);
  EXPECT_EQ(goes(), "c1 a2") << "of known sizes many go at once";
}

TEST_F(TrialQueueTest, NewTopicsGoInCompanyUntilTheFirstIsRefused) {
  for (std::size_t i = 0; i < TrialQueue::most_topics + 1; ++i) event("e" + std::to_string(i), ann);
  (void)goes();
  EXPECT_EQ(on_way_.size(), TrialQueue::most_topics);
  while (!on_way_.empty()) confirmed();
  EXPECT_EQ(goes(), "e32");
  confirmed();
  no_topic();
  event("f1", ann);
  event("f2", bob);
  EXPECT_EQ(goes(), "f1");
  confirmed();
  EXPECT_EQ(goes(), "f2");
}

TEST_F(TrialQueueTest, ALongTopicGoesAlone) {
  event("a", ann);
  event(std::string(TrialQueue::longest_shared_topic, 'l'), bob);
  EXPECT_EQ(goes(), "a");
}

TEST_F(TrialQueueTest, SourcesTakeTurnsAndKeepTheirOrder) {
  no_topic();
  for (const char* id : {"a1", "a2", "a3"}) event(id, ann);
  event("b1", bob);
  std::string order;
  for (std::string one; !(one = goes()).empty(); confirmed()) order += one;
  EXPECT_EQ(order, "a1b1a2a3");
}

TEST_F(TrialQueueTest, WhoWasRefusedTriesNothingNewForAWhileAndOthersDo) {
  no_topic();
  event("a1", ann);
  ASSERT_EQ(goes(), "a1");
  queue_.refused(ann, now_);
  queue_.settled(ann);
  on_way_.clear();
  event("a2", ann);
  event("b1", bob);
  EXPECT_EQ(goes(), "b1");
  confirmed();
  EXPECT_EQ(goes(), "");
  now_ += TrialQueue::pause_after_refusal;
  EXPECT_EQ(goes(), "a2");
}

TEST_F(TrialQueueTest, ManyWithoutASourceDoNotPayForOneOfThem) {
  no_topic();
  queue_.refused(Outgoing::no_source, now_);
  event("x", Outgoing::no_source);
  EXPECT_EQ(goes(), "x");
}

TEST_F(TrialQueueTest, WhatIsKnownToBeRefusedNeedNotWait) {
  request("a1", ann);
  ASSERT_EQ(goes(), "a1");
  request("b1", bob, large + 1);
  const std::string why = "406 PRECONDITION_FAILED - message size 9 is larger than configured max size 100000";
  bounds_.refused(bounds_.read(406, why), MessageType::request, "service", why, now_);
  ASSERT_NE(queue_.next(bounds_, {1, 0}, now_), nullptr);
  EXPECT_EQ(queue_.take(false).correlation_id, "b1");
}

/// The broker processes its channels independently, so one must be finished before the other may continue.
TEST_F(TrialQueueTest, TheOrderOfASourceIsKeptOverBothChannels) {
  push(message("a1", ann, MessageType::request, large), false, 7);
  const Outgoing small = message("a2", ann, MessageType::request, 1),
                 others = message("b", bob, MessageType::request, 1),
                 answer = message("r", ann, MessageType::response, 1);
  settled_ = 6;
  EXPECT_EQ(goes(), "") << "the seventh on the other channel is not confirmed yet";
  settled_ = 7;
  EXPECT_EQ(goes(), "a1");
  EXPECT_TRUE(queue_.has_before(small));
  EXPECT_FALSE(queue_.has_before(others));
  EXPECT_FALSE(queue_.has_before(answer)) << "answers have no order";
  push(small, true);
  EXPECT_EQ(goes(), "");
  EXPECT_TRUE(queue_.go_home().empty());
  confirmed();
  EXPECT_EQ(goes(), "") << "it goes over the other channel";
  const auto home = queue_.go_home();
  ASSERT_EQ(home.size(), 1u);
  EXPECT_EQ(home[0].message.correlation_id, "a2");
  EXPECT_EQ(home[0].number, 2u);
  EXPECT_TRUE(queue_.empty());
  EXPECT_FALSE(queue_.has_before(small));
}

TEST_F(TrialQueueTest, AFollowerBetweenTwoGoesWithThem) {
  bounds_.took(MessageType::request, "service", large);
  request("a1", ann);
  push(message("a2", ann, MessageType::request, 1), true);
  request("a3", ann);
  EXPECT_EQ(goes(), "a1 a2 a3");
}

TEST_F(TrialQueueTest, WhatWasBehindARefusedOneGoesAgainFirst) {
  for (const char* id : {"a1", "a2", "b1"}) event(id, id[0] == 'a' ? ann : bob);
  ASSERT_EQ(goes(), "a1 b1 a2");
  event("a3", ann);
  EXPECT_TRUE(queue_.gone(3));
  std::vector<Outgoing> untouched;
  for (auto& one : on_way_) {
    if (one.correlation_id == "a1") queue_.settled(ann);
    else untouched.push_back(std::move(one));
  }
  on_way_.clear();
  EXPECT_FALSE(queue_.interrupted(1));
  queue_.again(std::move(untouched));
  EXPECT_FALSE(queue_.gone(3)) << "what goes after them has to wait";
  std::string order;
  no_topic();
  for (std::string one; !(one = goes()).empty(); confirmed()) order += one;
  EXPECT_EQ(order, "b1a2a3");
}

TEST_F(TrialQueueTest, WhatCannotBeWrittenTwiceIsTakenOut) {
  request("a1", ann);
  request("b1", bob);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(queue_.next(bounds_, {0, 0}, now_)->correlation_id, "a1");
    EXPECT_FALSE(queue_.interrupted(2)) << "nothing of it was written";
  }
  ASSERT_NE(queue_.next(bounds_, {0, 0}, now_), nullptr);
  queue_.written = 10;
  EXPECT_FALSE(queue_.interrupted(2));
  EXPECT_FALSE(queue_.written) << "it starts again";
  ASSERT_EQ(queue_.next(bounds_, {0, 0}, now_)->correlation_id, "a1");
  queue_.written = 0;
  const auto poison = queue_.interrupted(2);
  ASSERT_TRUE(poison);
  EXPECT_EQ(poison->correlation_id, "a1");
  EXPECT_EQ(goes(), "b1") << "and no other message has to wait for it any more";
}

TEST_F(TrialQueueTest, ExpiresWhatIsLateButNotWhatIsBeingWritten) {
  auto late = message("a1", ann, MessageType::request, large);
  late.deadline = now + milliseconds(1);
  push(late);
  late.correlation_id = "a2";
  push(late);
  request("a3", ann);
  ASSERT_EQ(queue_.next(bounds_, {0, 0}, now_)->correlation_id, "a1");
  queue_.written = 1;
  const auto expired = queue_.expire(now + milliseconds(1));
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].correlation_id, "a2");
  EXPECT_EQ(queue_.size(), 2u);
  EXPECT_EQ(queue_.bytes(ann), 2 * large);
  EXPECT_EQ(queue_.next(bounds_, {0, 0}, now_)->correlation_id, "a1");
  EXPECT_EQ(queue_.take(true).correlation_id, "a1");
  queue_.settled(ann);
  EXPECT_EQ(goes(), "a3");
  EXPECT_TRUE(queue_.take_all().empty());
}

TEST_F(TrialQueueTest, TakesAllOutForGood) {
  event("a1", ann);
  request("b1", bob);
  EXPECT_EQ(queue_.take_all().size(), 2u);
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(queue_.gone(99));
  EXPECT_EQ(goes(), "");
}

}  // namespace
}  // namespace nuropb::mesh
