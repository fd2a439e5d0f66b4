#include "meshd/mesh/out_queue.hpp"

#include <gtest/gtest.h>

namespace nuropb::mesh {
namespace {

const SteadyTime now = std::chrono::steady_clock::now();

Outgoing message(const std::string& id, std::optional<SteadyTime> deadline = {}) {
  Outgoing out;
  out.correlation_id = id;
  out.deadline = deadline;
  return out;
}

TEST(OutQueue, KeepsTheOrder) {
  OutQueue queue;
  queue.push(message("a"));
  queue.push(message("b"));
  EXPECT_EQ(queue.take_front().correlation_id, "a");
  EXPECT_EQ(queue.take_front().correlation_id, "b");
  EXPECT_TRUE(queue.empty());
}

TEST(OutQueue, WhatExpiresBehindAnAnswerDoesNotCountForIt) {
  OutQueue queue;
  queue.push(message("answer"));  // the first that was ever pushed
  queue.push(message("request", now - milliseconds(1)));
  ASSERT_EQ(queue.expire(now).size(), 1u);
  // An acknowledgement that has to follow the answer still has to wait for it.
  EXPECT_FALSE(queue.gone(1));
  queue.take_front();
  EXPECT_TRUE(queue.gone(1));
  EXPECT_TRUE(queue.gone(2));
}

TEST(OutQueue, GoneInTheOrderOfPushing) {
  OutQueue queue;
  EXPECT_TRUE(queue.gone(0));
  for (const char* id : {"a", "b", "c"}) queue.push(message(id));
  EXPECT_TRUE(queue.gone(0));
  EXPECT_FALSE(queue.gone(1));
  queue.take_front();
  EXPECT_TRUE(queue.gone(1));
  EXPECT_FALSE(queue.gone(2));
}

TEST(OutQueue, WhatWasTakenAsideComesBackInItsPlace) {
  OutQueue queue;
  for (const char* id : {"a", "b", "c"}) queue.push(message(id));
  std::vector<OutQueue::Waiting> aside;
  aside.push_back(queue.take_numbered());
  aside.push_back(queue.take_numbered());
  EXPECT_TRUE(queue.gone(2)) << "its holder has to report it";
  queue.put_back(std::move(aside));
  EXPECT_FALSE(queue.gone(1));
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(queue.take_front().correlation_id, id);
}

TEST(OutQueue, ExpiresWhatIsLateAndWhatNobodyWaitsFor) {
  OutQueue queue;
  const auto gone = std::make_shared<std::atomic<bool>>(true);
  queue.push(message("late", now));
  queue.push(message("in time", now + milliseconds(1)));
  queue.push(message("abandoned"));
  queue.push(message("patient"));
  auto abandoned = queue.take_all();
  abandoned[2].abandoned = gone;
  for (auto& each : abandoned) queue.push(std::move(each));
  const auto expired = queue.expire(now);
  ASSERT_EQ(expired.size(), 2u);
  EXPECT_EQ(expired[0].correlation_id, "late");
  EXPECT_EQ(expired[1].correlation_id, "abandoned");
  EXPECT_EQ(queue.take_front().correlation_id, "in time");
}

}  // namespace
}  // namespace nuropb::mesh
