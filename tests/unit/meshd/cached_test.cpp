#include "meshd/auth/cached.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

struct CachedAuthorizerTest : testing::Test {
  CachedAuthorizerTest() {
    auto made = std::make_unique<FakeAuthorizer>("inner");
    inner = made.get();
    cached.emplace(std::move(made),
                   CachedAuthorizer::Settings{60, 5, 2, 3, 2, [this] { return now + step; },
                                              [this] { return SteadyTime(std::chrono::seconds(now)); }});
  }
  std::optional<Verdict> judge(const std::string& token) {
    std::optional<Verdict> out;
    cached->judge(bearer(token), [&](Verdict v) { out = std::move(v); });
    return out;
  }
  std::int64_t now = 1000;
  std::int64_t step = 0;  // of the wall clock
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

TEST_F(CachedAuthorizerTest, AStepOfTheWallClockProlongsNothing) {
  inner->at_once = user("ann", 1030);
  judge("a");
  step = -3600;
  now = 1020;
  EXPECT_EQ(judge("a")->identity.ends_ms, 1'030'000u) << "what it had left when it was asked about";
  now = 1030;
  judge("a");
  EXPECT_EQ(inner->asked.size(), 2u);
}

TEST_F(CachedAuthorizerTest, ATokenThatIsOverByTheWallClockIsAskedAboutAgain) {
  inner->at_once = user("ann", 1030);
  judge("a");
  step = 3600;
  judge("a");
  EXPECT_EQ(inner->asked.size(), 2u);
  step = 0;
  inner->at_once = user("bob");
  judge("b");
  step = 3600;
  judge("b");
  EXPECT_EQ(inner->asked.size(), 3u) << "one that never ends is remembered for its time, whatever the clock says";
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
  EXPECT_EQ(judge("a")->what, Verdict::What::unavailable) << "as many wait as may";
  inner->waiting.front()(user("ann"));
  EXPECT_EQ(answers, 3);
  inner->at_once = user("bob");
  EXPECT_TRUE(judge("b")->accepted());
}

TEST_F(CachedAuthorizerTest, OneAddressThatFloodsDelaysNobodyElse) {
  std::vector<std::string> told;
  const auto show = [&](const std::string& token, const std::string& address, bool wanted = true) {
    Credential credential = bearer(token);
    credential.source = address;
    credential.wanted = [wanted] { return wanted; };
    cached->judge(credential, [&told, token](const Verdict& v) {
      told.push_back(token + (v.what == Verdict::What::unavailable ? " later" : ""));
    });
  };
  for (const char* token : {"1", "2", "3", "4"}) show(token, "10.0.0.1");
  EXPECT_EQ(inner->asked, (std::vector<std::string>{"1", "2"})) << "two at a time";
  EXPECT_EQ(told, std::vector<std::string>{"4 later"}) << "the address that has most waiting has its newest dropped";
  show("good", "10.0.0.2");
  EXPECT_EQ(told.back(), "3 later");
  inner->waiting.front()(Verdict::pass("unknown"));
  EXPECT_EQ(inner->asked.back(), "good");
}

TEST_F(CachedAuthorizerTest, WhatNobodyWaitsForIsNotAsked) {
  bool here = true, told = false;
  const auto show = [&](const std::string& token) {
    Credential credential = bearer(token);
    credential.wanted = [&here] { return here; };
    cached->judge(credential, [&](const Verdict&) { told = true; });
  };
  for (const char* token : {"1", "2", "gone"}) show(token);
  here = false;
  inner->waiting.front()(Verdict::pass("unknown"));
  EXPECT_EQ(inner->asked.size(), 2u);
  EXPECT_TRUE(told);
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
