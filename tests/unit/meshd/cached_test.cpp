#include "meshd/auth/cached.hpp"

#include <gtest/gtest.h>

#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

struct CachedAuthorizerTest : testing::Test {
  CachedAuthorizerTest() {
    auto made = std::make_unique<FakeAuthorizer>("inner");
    inner = made.get();
    cached.emplace(std::move(made), CachedAuthorizer::Settings{60, 5, 2, 3, [this] { return now; }});
  }
  std::optional<Verdict> judge(const std::string& token) {
    std::optional<Verdict> out;
    cached->judge(bearer(token), [&](Verdict v) { out = std::move(v); });
    return out;
  }
  std::int64_t now = 1000;
  FakeAuthorizer* inner = nullptr;
  std::optional<CachedAuthorizer> cached;
};

TEST_F(CachedAuthorizerTest, RemembersGoodAndBadForTheirTime) {
  inner->at_once = user("ann");
  EXPECT_TRUE(judge("a")->accepted());
  inner->at_once = Verdict::pass("unknown");
  EXPECT_EQ(judge("b")->what, Verdict::What::not_mine);
  now += 4;
  EXPECT_TRUE(judge("a")->accepted());
  EXPECT_EQ(judge("a")->identity.token, "a") << "it goes into the context";
  EXPECT_EQ(judge("b")->reason, "unknown");
  EXPECT_EQ(inner->asked.size(), 2u);
  now += 1;
  judge("b");
  EXPECT_EQ(inner->asked.size(), 3u);
  now += 55;
  judge("a");
  EXPECT_EQ(inner->asked.size(), 4u);
}

TEST_F(CachedAuthorizerTest, NeverBeyondTheTokensExpiry) {
  inner->at_once = user("ann", 1010);
  judge("a");
  now = 1009;
  judge("a");
  EXPECT_EQ(inner->asked.size(), 1u);
  now = 1010;
  judge("a");
  EXPECT_EQ(inner->asked.size(), 2u);
}

TEST_F(CachedAuthorizerTest, WhatCouldNotBeJudgedIsAskedAgain) {
  inner->at_once = Verdict::later("away");
  judge("a");
  judge("a");
  EXPECT_EQ(inner->asked.size(), 2u);
}

TEST_F(CachedAuthorizerTest, TheOldestGoFirst) {
  inner->at_once = user("u");
  for (const char* token : {"a", "b", "c"}) judge(token);
  EXPECT_EQ(cached->size(), 2u);
  judge("b");
  judge("c");
  EXPECT_EQ(inner->asked.size(), 3u);
  judge("a");
  EXPECT_EQ(inner->asked.size(), 4u);
}

TEST_F(CachedAuthorizerTest, MadeUpTokensDontPushOutThoseOfUsers) {
  inner->at_once = user("u");
  judge("a");
  inner->at_once = Verdict::pass("unknown");
  for (const char* token : {"1", "2", "3", "4"}) judge(token);
  EXPECT_EQ(cached->size(), 3u);
  judge("a");
  EXPECT_EQ(inner->asked.size(), 5u);
}

TEST_F(CachedAuthorizerTest, OneQuestionForAllWhoShowTheSameToken) {
  int answers = 0;
  for (int i = 0; i < 3; ++i) cached->judge(bearer("a"), [&](const Verdict& v) { answers += v.accepted(); });
  EXPECT_EQ(inner->asked.size(), 1u);
  EXPECT_EQ(judge("b")->what, Verdict::What::unavailable) << "as many wait as may";
  inner->waiting.front()(user("ann"));
  EXPECT_EQ(answers, 3);
  inner->at_once = user("bob");
  EXPECT_TRUE(judge("b")->accepted());
}

TEST_F(CachedAuthorizerTest, AReloadForgetsAlsoWhatIsBeingAsked) {
  bool answered = false;
  cached->judge(bearer("a"), [&](const Verdict&) { answered = true; });
  ASSERT_TRUE(cached->reload());
  inner->waiting.front()(user("ann"));
  EXPECT_TRUE(answered);
  EXPECT_EQ(cached->size(), 0u);
}

}  // namespace
}  // namespace nuropb::meshd
