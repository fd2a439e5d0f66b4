#include "meshd/sessions/user_quotas.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

class UserQuotasTest : public ::testing::Test {
 protected:
  void make() { quotas_.emplace(config_, clock_); }
  Session& open(const std::string& user) {
    Session& session = sessions_.emplace_back();
    EXPECT_TRUE(quotas_->admit(session, user));
    return session;
  }
  Config config_;
  ManualClock clock_;
  std::optional<UserQuotas> quotas_;
  std::deque<Session> sessions_;  // end before the quotas
};

TEST_F(UserQuotasTest, ASessionHasItsPlaceUntilItEnds) {
  config_.limits.connections_per_user = 1;
  make();
  {
    Session first, second;
    EXPECT_TRUE(quotas_->admit(first, "ann"));
    EXPECT_FALSE(quotas_->admit(second, "ann"));
    EXPECT_TRUE(quotas_->admit(second, "bob"));
    EXPECT_EQ(quotas_->refused().connections, 1u);
    first = Session{};
    EXPECT_TRUE(quotas_->admit(first, "ann"));
  }
}

TEST_F(UserQuotasTest, AMessageOverTheRateIsNamed) {
  config_.limits.user.messages_per_s = 1;
  make();
  Session& session = open("ann");
  std::optional<UserQuotas::Over> over;
  for (int i = 0; i < 1000 && !over; ++i) over = quotas_->over_rates(session, 10, false);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->limit, "limits.user_messages_per_s");
  EXPECT_NE(over->why.find("more than 1 messages a second"), std::string::npos) << over->why;
  EXPECT_EQ(quotas_->refused().user_messages, 1u);
  EXPECT_EQ(quotas_->refused().user_bytes, 0u);
}

TEST_F(UserQuotasTest, AClientThatDoesNotSlowDownLosesItsSession) {
  config_.limits.user.messages_per_s = 1;
  make();
  Session& session = open("ann");
  bool ended = false;
  for (int i = 0; i < 10'000 && !ended; ++i) {
    const auto over = quotas_->over_rates(session, 10, false);
    ended = over && over->end_session;
  }
  EXPECT_TRUE(ended);
}

TEST_F(UserQuotasTest, WhatAnEdgeRepeatsAfterARestartIsNotCountedForAWhile) {
  config_.limits.user.messages_per_s = 1;
  make();
  Session& session = open("ann");
  session.restored = 100;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(quotas_->over_rates(session, 10, true)) << i;
  EXPECT_EQ(session.restored, 0u);
  session.restored = 1000;
  clock_.advance(std::chrono::seconds(60));
  bool over = false;
  for (int i = 0; i < 1000 && !over; ++i) over = quotas_->over_rates(session, 10, true).has_value();
  EXPECT_TRUE(over) << "the time for that is over";
}

TEST_F(UserQuotasTest, PendingRequestsAndPatternsAreRefusedAndCounted) {
  config_.limits.pending_per_user = 1;
  config_.events.subscriptions_per_user = 1;
  make();
  const ReturnAddress first{0, 1, 1, 1, 1}, second{0, 1, 1, 1, 2};
  EXPECT_TRUE(quotas_->may_wait("ann", first, {10, clock_.now() + milliseconds(5), true}));
  EXPECT_FALSE(quotas_->may_wait("ann", second, {10, clock_.now() + milliseconds(5), true}));
  EXPECT_EQ(quotas_->refused().user_pending, 1u);
  quotas_->answered(first);
  EXPECT_TRUE(quotas_->may_wait("ann", second, {10, clock_.now() + milliseconds(5), true}));

  EXPECT_TRUE(quotas_->may_subscribe("ann", "a.*"));
  quotas_->patterns().add("ann", "a.*");
  EXPECT_FALSE(quotas_->may_subscribe("ann", "b.*"));
  EXPECT_EQ(quotas_->refused().user_subscriptions, 1u);
}

}  // namespace
}  // namespace nuropb::meshd
