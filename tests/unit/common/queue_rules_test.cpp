#include "common/queue_rules.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(QueueRules, OfAConfigLine) {
  const auto rule = parse_queue_rule("prices.#  latest");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->pattern, "prices.#");
  EXPECT_EQ(rule->when_full, WhenFull::latest);
  EXPECT_EQ(parse_queue_rule("a b drop_oldest")->pattern, "a b");
  EXPECT_EQ(parse_queue_rule("# close")->when_full, WhenFull::close);
}

TEST(QueueRules, WhatIsNone) {
  for (const char* text : {"", "prices.#", "prices.# ", "prices.# first", " latest", "prices.# Latest"})
    EXPECT_FALSE(parse_queue_rule(text)) << text;
  EXPECT_FALSE(parse_queue_rule(std::string(256, 'a') + " latest"));
  EXPECT_TRUE(parse_queue_rule(std::string(255, 'a') + " latest"));
}

TEST(QueueRules, TheFirstMatchCounts) {
  const QueueRules rules({"prices.eu.* drop_oldest", "prices.# latest", "# close"});
  EXPECT_EQ(rules.find("prices.eu.x").when_full, WhenFull::drop_oldest);
  EXPECT_EQ(rules.find("prices.us.x").when_full, WhenFull::latest);
  EXPECT_EQ(rules.find("orders").when_full, WhenFull::close);
  EXPECT_NE(rules.find("prices.eu.x").rule, rules.find("prices.us.x").rule);
}

TEST(QueueRules, WithoutAnyTheSocketIsClosed) {
  EXPECT_EQ(QueueRules({}).find("prices").when_full, WhenFull::close);
  EXPECT_EQ(QueueRules({"other latest"}).find("prices").rule, 0u);
}

}  // namespace
}  // namespace nuropb
