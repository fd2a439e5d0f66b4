#include "meshd/subscriptions.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using Added = Subscriptions::Added;

ReturnAddress asker(std::uint32_t slot, std::uint32_t session, std::uint64_t sequence) {
  return {7, slot, 1, session, sequence};
}
std::vector<WorkerId> who(const Subscriptions& all, std::string_view topic) {
  std::vector<WorkerId> out{{9, 9}};
  all.match(topic, out);
  return out;
}

TEST(Subscriptions, TheFirstIsBoundAndTheLastUnbound) {
  Subscriptions all;
  EXPECT_EQ(all.add("news.#", asker(0, 1, 10)), Added::first);
  EXPECT_EQ(all.add("news.#", asker(0, 2, 11)), Added::waiting);
  EXPECT_EQ(all.add("news.#", asker(1, 1, 12)), Added::waiting);
  const auto waited = all.bound("news.#");
  ASSERT_EQ(waited.size(), 3u);
  EXPECT_EQ(waited[1].sequence, 11u);
  EXPECT_TRUE(all.bound("news.#").empty()) << "reported once, also if a new connection binds it again";
  EXPECT_EQ(all.add("news.#", asker(1, 2, 13)), Added::bound);

  EXPECT_EQ(who(all, "news.sport"), (std::vector<WorkerId>{{0, 1}, {1, 1}}));
  EXPECT_FALSE(all.remove("news.#", asker(0, 1, 0)).last);
  EXPECT_FALSE(all.remove("news.#", asker(0, 2, 0)).last);
  EXPECT_EQ(who(all, "news.sport"), (std::vector<WorkerId>{{1, 1}}));
  EXPECT_FALSE(all.remove("news.#", asker(0, 1, 0)).last) << "it has none left";
  EXPECT_FALSE(all.remove("news.#", asker(1, 1, 0)).last);
  EXPECT_TRUE(all.remove("news.#", asker(1, 2, 0)).last);
  EXPECT_TRUE(who(all, "news.sport").empty());
  EXPECT_EQ(all.patterns(), 0u);
  EXPECT_EQ(all.add("news.#", asker(0, 1, 14)), Added::first) << "and all over again";
}

TEST(Subscriptions, WhoeverLeavesWaitsNoLonger) {
  Subscriptions all;
  EXPECT_EQ(all.add("a", asker(0, 1, 1)), Added::first);
  for (std::uint64_t round = 2; round < 1000; ++round) {
    EXPECT_EQ(all.add("a", asker(0, 2, round)), Added::waiting);
    const auto removed = all.remove("a", asker(0, 2, 0));
    EXPECT_FALSE(removed.last);
    ASSERT_EQ(removed.waiting.size(), 1u);
    EXPECT_EQ(removed.waiting[0].sequence, round) << "it is owed an answer";
  }
  EXPECT_EQ(all.bound("a").size(), 1u) << "of the one who stayed";
}

TEST(Subscriptions, MoveToAnotherHolderAndStayBound) {
  Subscriptions all;
  EXPECT_EQ(all.add("news.#", asker(0, 1, 1)), Added::first);
  EXPECT_EQ(all.add("news.#", asker(0, 2, 2)), Added::waiting);
  all.move("news.#", asker(0, 1, 0), asker(5, 1, 0));
  EXPECT_EQ(who(all, "news.a"), (std::vector<WorkerId>{{0, 1}, {5, 1}})) << "the other session is where it was";
  all.move("news.#", asker(0, 2, 0), asker(5, 2, 0));
  EXPECT_EQ(who(all, "news.a"), (std::vector<WorkerId>{{5, 1}}));
  EXPECT_EQ(all.bound("news.#").size(), 2u) << "a waiting subscription is not touched";

  all.move("news.#", asker(5, 1, 0), asker(5, 9, 0));
  all.move("news.#", asker(3, 1, 0), asker(4, 1, 0));
  all.move("other", asker(5, 1, 0), asker(4, 1, 0));
  EXPECT_EQ(who(all, "news.a"), (std::vector<WorkerId>{{5, 1}})) << "none of these holds anything, or moves";
  EXPECT_FALSE(all.remove("news.#", asker(0, 1, 0)).last);
  EXPECT_FALSE(all.remove("news.#", asker(5, 1, 0)).last);
  EXPECT_TRUE(all.remove("news.#", asker(5, 2, 0)).last);
  EXPECT_TRUE(who(all, "news.a").empty());
}

TEST(Subscriptions, WhatTheBrokerRefusesIsNobodys) {
  Subscriptions all;
  EXPECT_EQ(all.add("a", asker(0, 1, 1)), Added::first);
  EXPECT_EQ(all.add("b", asker(0, 1, 2)), Added::first);
  EXPECT_EQ(all.refused("a").size(), 1u);
  EXPECT_TRUE(who(all, "a").empty());
  EXPECT_EQ(who(all, "b").size(), 1u);
  EXPECT_FALSE(all.remove("a", asker(0, 1, 0)).last);
  EXPECT_TRUE(all.refused("c").empty());
}

}  // namespace
}  // namespace nuropb::meshd
