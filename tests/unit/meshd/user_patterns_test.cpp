#include "meshd/user_patterns.hpp"

#include <gtest/gtest.h>

#include "meshd/topics.hpp"

namespace nuropb::meshd {
namespace {

TEST(UserPatterns, WhatSessionsOfAUserShareCountsOnce) {
  UserPatterns patterns(2);
  patterns.add("ann", "a");
  patterns.add("ann", "a");
  patterns.add("ann", "b");
  EXPECT_FALSE(patterns.has_room("ann", "c"));
  EXPECT_TRUE(patterns.has_room("ann", "a")) << "they are subscribed to it already";
  EXPECT_TRUE(patterns.has_room("bob", "c"));
  patterns.remove("ann", "a");
  EXPECT_FALSE(patterns.has_room("ann", "c")) << "another session has it still";
  patterns.remove("ann", "a");
  EXPECT_TRUE(patterns.has_room("ann", "c"));
  patterns.remove("ann", "b");
  patterns.remove("ann", "b");
  EXPECT_EQ(patterns.users(), 0u);
}

TEST(UserPatterns, NothingIsCountedWithoutALimit) {
  UserPatterns patterns(0);
  for (int i = 0; i < 10; ++i) patterns.add("ann", std::to_string(i));
  EXPECT_TRUE(patterns.has_room("ann", "x"));
  EXPECT_EQ(patterns.users(), 0u);
}

TEST(UserPatterns, TopicsOfASessionCountForItsUserUntilItsEnd) {
  UserPatterns patterns(3);
  Topics one, moved;
  one.add("a", patterns, "ann");
  one.add("a", patterns, "ann");
  one.add("b", patterns, "ann");
  EXPECT_TRUE(one.remove("b"));
  EXPECT_FALSE(one.remove("b"));
  moved = std::move(one);
  EXPECT_EQ(patterns.users(), 1u);
  moved.clear();
  EXPECT_EQ(patterns.users(), 0u);
  {
    Topics ends;
    ends.add("c", patterns, "bob");
    EXPECT_EQ(patterns.users(), 1u);
  }
  EXPECT_EQ(patterns.users(), 0u);
}

}  // namespace
}  // namespace nuropb::meshd
