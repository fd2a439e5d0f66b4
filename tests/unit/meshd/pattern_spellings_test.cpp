#include "meshd/pattern_spellings.hpp"

#include <gmock/gmock.h>

namespace nuropb::meshd {
namespace {

using State = PatternSpellings::State;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

TEST(PatternSpellings, TheBrokerIsAskedOnceForAllSpellings) {
  PatternSpellings all;
  const auto first = all.add("#.#.a");
  EXPECT_EQ(first.canonical, "#.a");
  EXPECT_EQ(first.state, State::ask);
  EXPECT_EQ(all.add("#.a").state, State::wait) << "it has not answered";
  EXPECT_THAT(all.bound("#.a"), UnorderedElementsAre("#.#.a", "#.a"));
  EXPECT_EQ(all.add("#.#.#.a").state, State::bound);
  EXPECT_EQ(all.add("#.b").state, State::ask);
}

TEST(PatternSpellings, TheLastSpellingUnbinds) {
  PatternSpellings all;
  all.add("#.*");
  all.add("*.#");
  EXPECT_FALSE(all.remove("*.#"));
  EXPECT_FALSE(all.remove("*.#")) << "it is removed already";
  EXPECT_FALSE(all.remove("never.added"));
  EXPECT_EQ(all.remove("#.*"), "*.#");
  EXPECT_EQ(all.add("#.*").state, State::ask) << "it was unbound";
}

TEST(PatternSpellings, ARefusalConcernsAllSpellings) {
  PatternSpellings all;
  all.add("#.#.a");
  all.add("#.a");
  all.add("b");
  EXPECT_THAT(all.refused("#.a"), UnorderedElementsAre("#.#.a", "#.a"));
  EXPECT_FALSE(all.remove("#.a"));
  EXPECT_EQ(all.add("#.a").state, State::ask);
  EXPECT_THAT(all.bound("b"), ElementsAre("b"));
}

TEST(PatternSpellings, AfterAReconnectItIsBoundAgain) {
  PatternSpellings all;
  all.add("a.b");
  EXPECT_THAT(all.bound("a.b"), ElementsAre("a.b"));
  EXPECT_THAT(all.bound("a.b"), ElementsAre("a.b"));
}

TEST(PatternSpellings, WhatIsNotOursComesBackAsItIs) {
  PatternSpellings all;
  EXPECT_THAT(all.bound("gateways.own"), ElementsAre("gateways.own"));
  EXPECT_THAT(all.refused("gateways.own"), ElementsAre("gateways.own"));
}

}  // namespace
}  // namespace nuropb::meshd
