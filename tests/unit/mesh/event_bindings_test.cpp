#include "meshd/mesh/event_bindings.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace nuropb::mesh {
namespace {

/// "+a -b": what would be sent now.
std::string told(EventBindings& bindings, std::size_t most = 100) {
  std::vector<std::string> out;
  for (const auto& change : bindings.take(most)) out.push_back((change.bind ? "+" : "-") + change.pattern);
  std::sort(out.begin(), out.end());
  std::string text;
  for (const auto& one : out) text += (text.empty() ? "" : " ") + one;
  return text;
}

TEST(EventBindings, TellsEachChangeOnce) {
  EventBindings bindings(10);
  EXPECT_FALSE(bindings.needed());
  EXPECT_TRUE(*bindings.bind("a"));
  EXPECT_FALSE(*bindings.bind("a")) << "bound twice is bound once";
  EXPECT_TRUE(bindings.needed());
  EXPECT_EQ(told(bindings), "+a");
  EXPECT_EQ(told(bindings), "");
  EXPECT_FALSE(bindings.unbind("b"));
  EXPECT_TRUE(bindings.unbind("a"));
  EXPECT_FALSE(bindings.unbind("a"));
  EXPECT_EQ(told(bindings), "-a");
  EXPECT_FALSE(bindings.needed());
}

TEST(EventBindings, ChangesThatWereLostOnTheirWayAreToldAgainAndNothingElse) {
  EventBindings bindings(10);
  for (const char* pattern : {"kept", "lost", "left", "old"}) ASSERT_TRUE(bindings.bind(pattern));
  ASSERT_EQ(told(bindings), "+kept +left +lost +old");
  bindings.answered("kept");
  bindings.answered("old");
  bindings.unbind("old");
  ASSERT_EQ(told(bindings), "-old");
  bindings.unbind("left");
  bindings.again({{"lost", true}, {"left", true}, {"old", false}});
  EXPECT_EQ(told(bindings), "+lost -left -old") << "kept is bound as it was";
  bindings.again({{"old", false}});
  ASSERT_TRUE(bindings.bind("old"));
  EXPECT_EQ(told(bindings), "+old");
}

TEST(EventBindings, WhatCameAndWentIsNotTold) {
  EventBindings bindings(10);
  ASSERT_TRUE(bindings.bind("a"));
  EXPECT_FALSE(bindings.unbind("a"));
  EXPECT_EQ(told(bindings), "");
  ASSERT_TRUE(bindings.bind("a"));
  EXPECT_EQ(told(bindings), "+a");
  EXPECT_TRUE(bindings.unbind("a"));
  EXPECT_FALSE(*bindings.bind("a")) << "the broker still has it";
  EXPECT_EQ(told(bindings), "");
}

TEST(EventBindings, WhatTheBrokerHasIsSaid) {
  EventBindings bindings(10);
  ASSERT_TRUE(bindings.bind("a"));
  EXPECT_EQ(told(bindings), "+a");
  EXPECT_TRUE(bindings.answered("a"));
  EXPECT_TRUE(bindings.take_bound().empty()) << "its answer says it";
  bindings.unbind("a");
  EXPECT_TRUE(*bindings.bind("a")) << "taken back before it was told: there is something to say";
  EXPECT_EQ(told(bindings), "");
  EXPECT_EQ(bindings.take_bound(), std::vector<std::string>{"a"});
  bindings.unbind("a");
  EXPECT_EQ(told(bindings), "-a");
  ASSERT_TRUE(bindings.bind("a"));
  EXPECT_TRUE(bindings.take_bound().empty()) << "the broker has to be told again";
  bindings.retell({});
  EXPECT_FALSE(bindings.answered("b"));
}

TEST(EventBindings, InPortionsUnbindsFirst) {
  EventBindings bindings(10);
  for (const char* p : {"a", "b"}) ASSERT_TRUE(bindings.bind(p));
  EXPECT_EQ(told(bindings), "+a +b");
  bindings.unbind("a");
  ASSERT_TRUE(bindings.bind("c"));
  EXPECT_EQ(told(bindings, 1), "-a");
  EXPECT_EQ(told(bindings, 1), "+c");
}

TEST(EventBindings, ToldAnewAfterALoss) {
  EventBindings bindings(10);
  for (const char* p : {"a", "b", "c"}) ASSERT_TRUE(bindings.bind(p));
  EXPECT_EQ(told(bindings), "+a +b +c");
  bindings.unbind("b");
  EXPECT_EQ(told(bindings), "-b");
  bindings.unbind("c");
  bindings.retell({{"b", false}});  // -b was never answered
  EXPECT_EQ(told(bindings), "+a -b -c");
  bindings.retell({});
  EXPECT_EQ(told(bindings), "+a") << "what was unbound before is of no interest";
}

TEST(EventBindings, ChangedBetweenLossAndTelling) {
  EventBindings bindings(10);
  for (const char* p : {"a", "b", "c"}) ASSERT_TRUE(bindings.bind(p));
  told(bindings);
  bindings.retell({});
  EXPECT_TRUE(bindings.unbind("b")) << "the broker may still have it";
  EXPECT_TRUE(bindings.unbind("c"));
  EXPECT_TRUE(*bindings.bind("c")) << "or may not have it any more";
  EXPECT_EQ(told(bindings), "+a +c -b");
  EXPECT_EQ(told(bindings), "");
}

TEST(EventBindings, RefusedIsForgotten) {
  EventBindings bindings(10);
  for (const char* p : {"a", "b"}) ASSERT_TRUE(bindings.bind(p));
  EXPECT_EQ(told(bindings), "+a +b");
  bindings.retell({});
  bindings.refused("a");
  EXPECT_EQ(told(bindings), "+b");
  EXPECT_EQ(bindings.refuse_all(), std::vector<std::string>{"b"});
  EXPECT_FALSE(bindings.needed());
  EXPECT_TRUE(*bindings.bind("a")) << "asked again, it is tried again";
}

TEST(EventBindings, Bounded) {
  EventBindings bindings(2);
  EXPECT_TRUE(bindings.bind(std::string(255, 'x')));
  const auto long_one = bindings.bind(std::string(256, 'x'));
  ASSERT_FALSE(long_one);
  EXPECT_NE(long_one.error().text().find("255"), std::string::npos);
  EXPECT_TRUE(bindings.bind("a"));
  EXPECT_FALSE(bindings.bind("b"));
  told(bindings);
  // Patterns that are still to be unbound count too; otherwise a broker that answers nothing would let the sets grow.
  bindings.unbind(std::string(255, 'x'));
  EXPECT_TRUE(bindings.bind("c"));
  bindings.unbind("a");
  EXPECT_FALSE(bindings.bind("d"));
  told(bindings);
  EXPECT_TRUE(bindings.bind("d"));
}

}  // namespace
}  // namespace nuropb::mesh
