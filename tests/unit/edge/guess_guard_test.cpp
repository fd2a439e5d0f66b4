#include "edge/sessions/guess_guard.hpp"

#include "tests/unit/edge/session_fixture.hpp"

namespace nuropb::edge {
namespace {

class GuessGuardTest : public SessionTest {
 protected:
  /// How many of these the address may present at once.
  template <class MayPresent>
  int allowed(MayPresent may_present) {
    int out = 0;
    for (int i = 0; i < 300; ++i) out += may_present("guess " + std::to_string(i)) ? 1 : 0;
    return out;
  }
  ManualClock time_;
  GuessGuard guard_{1, time_, link_};
};

TEST_F(GuessGuardTest, TokensAndKeysAreCountedApart) {
  attach();
  EXPECT_EQ(allowed([&](const std::string& text) { return guard_.may_present_token("10.0.0.1", text); }), 100);
  EXPECT_EQ(counter(shm::EdgeCounter::over_refused_tokens), 200u);
  EXPECT_EQ(allowed([&](const std::string& text) { return guard_.may_present_key("10.0.0.1", text, "keys"); }), 100);
  EXPECT_TRUE(guard_.may_present_token("10.0.0.2", "another address"));
}

TEST_F(GuessGuardTest, WhatWasRightPassesAlsoFromAnAddressThatGuesses) {
  ASSERT_TRUE(guard_.may_present_token("10.0.0.1", "good"));
  guard_.token_accepted("10.0.0.1", "good");
  allowed([&](const std::string& text) { return guard_.may_present_token("10.0.0.1", text); });
  EXPECT_TRUE(guard_.may_present_token("10.0.0.1", "good"));
  EXPECT_FALSE(guard_.may_present_token("10.0.0.1", "bad"));
}

TEST_F(GuessGuardTest, AKeyThatMayNotDoThisIsAKnownKey) {
  for (const int status : {200, 403, 404}) {
    const std::string key = "key " + std::to_string(status);
    ASSERT_TRUE(guard_.may_present_key("10.0.0.1", key, "keys"));
    guard_.key_answered("10.0.0.1", key, status);
  }
  ASSERT_TRUE(guard_.may_present_key("10.0.0.1", "wrong", "keys"));
  guard_.key_answered("10.0.0.1", "wrong", 401);
  allowed([&](const std::string& text) { return guard_.may_present_key("10.0.0.1", text, "keys"); });
  EXPECT_TRUE(guard_.may_present_key("10.0.0.1", "key 403", "keys"));
  EXPECT_TRUE(guard_.may_present_key("10.0.0.1", "key 404", "keys"));
  EXPECT_FALSE(guard_.may_present_key("10.0.0.1", "wrong", "keys"));
}

}  // namespace
}  // namespace nuropb::edge
