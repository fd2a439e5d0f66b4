#include "edge/sessions/guess_limit.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nuropb::edge {
namespace {

struct GuessLimitTest : testing::Test {
  bool ask(std::string_view host, const std::string& secret) { return limit.may_ask(host, secret, now); }
  SteadyTime now = SteadyTime() + std::chrono::hours(1);
  GuessLimit limit{2, 5};
};

TEST_F(GuessLimitTest, GuessesArePaidForWhenTheyAreMade) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask("10.0.0.1", std::to_string(i)));
  EXPECT_FALSE(ask("10.0.0.1", "6")) << "their results are not known yet";
  EXPECT_TRUE(ask("10.0.0.2", "6")) << "another address";
  now += milliseconds(500);
  EXPECT_TRUE(ask("10.0.0.1", "6"));
  EXPECT_FALSE(ask("10.0.0.1", "7"));
}

TEST_F(GuessLimitTest, WhatWasRightIsPaidBackAndRemembered) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(ask("10.0.0.1", "token " + std::to_string(i))) << "five hundred people behind one address, twice";
    limit.accepted("10.0.0.1", "token " + std::to_string(i));
  }
  while (ask("10.0.0.1", "made up")) {}
  EXPECT_TRUE(ask("10.0.0.1", "token 7")) << "another client guesses behind the same address";
  EXPECT_FALSE(ask("10.0.0.1", "token 1000"));
}

TEST_F(GuessLimitTest, AnIpv6HostIsItsPrefix) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask("2001:db8::" + std::to_string(i + 1), "x" + std::to_string(i)));
  EXPECT_FALSE(ask("2001:db8::ffff", "y"));
  EXPECT_TRUE(ask("2001:db8:0:1::1", "y"));
}

TEST_F(GuessLimitTest, IsBounded) {
  for (int i = 0; i < 5000; ++i) {
    EXPECT_TRUE(ask("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), "x"));
    now += milliseconds(10);
  }
  EXPECT_LT(limit.hosts(), 2100u) << "who guessed long ago is forgotten";
  GuessLimit off{0, 0};
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(off.may_ask("10.0.0.1", "x", now));
  EXPECT_EQ(off.hosts(), 0u);
}

}  // namespace
}  // namespace nuropb::edge
