#include "meshd/auth/fair_queue.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

TEST(FairQueue, SourcesTakeTurnsAndGroupsBeforeThem) {
  FairQueue<std::string> queue;
  EXPECT_FALSE(queue.pop());
  for (const char* item : {"a1", "a2", "a3", "a4"}) queue.push(1, "a", item);
  queue.push(1, "b", "b1");
  for (const char* item : {"c1", "c2"}) queue.push(2, "c", item);
  std::string order;
  while (const auto item = queue.pop()) order += *item + " ";
  EXPECT_EQ(order, "a1 c1 b1 c2 a2 a3 a4 ");
  EXPECT_EQ(queue.size(), 0u);
}

TEST(FairQueue, AFloodDelaysNobodyElse) {
  FairQueue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.push(1, "flood", i);
  queue.pop();
  queue.push(1, "honest", -1);
  const auto first = *queue.pop(), second = *queue.pop();
  EXPECT_TRUE(first == -1 || second == -1);
}

TEST(FairQueue, AnEdgeThatMakesUpAddressesWinsNothing) {
  FairQueue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.push(1, std::to_string(i), i);
  queue.pop();
  queue.push(2, "honest", -1);
  EXPECT_EQ(*queue.pop(), -1);
}

TEST(FairQueue, TheNewestOfTheLargestSourceIsDropped) {
  FairQueue<std::string> queue;
  EXPECT_FALSE(queue.drop());
  queue.push(2, "c", "c1");
  for (const char* item : {"a1", "a2"}) queue.push(1, "a", item);
  queue.push(1, "b", "b1");
  EXPECT_EQ(*queue.drop(), "a2");
  EXPECT_EQ(queue.size(), 3u);
}

}  // namespace
}  // namespace nuropb::meshd
