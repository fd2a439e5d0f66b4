#include "meshd/user_pending.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

struct UserPendingTest : testing::Test {
  static ReturnAddress from(std::uint64_t sequence, std::uint32_t slot = 1) { return {0, slot, 1, 5, sequence}; }
  bool request(std::string_view user, std::uint64_t sequence, std::size_t bytes = 1) {
    return pending.take(user, from(sequence), {bytes, now + std::chrono::seconds(60), true});
  }
  bool command(std::string_view user, std::uint64_t sequence) {
    return pending.take(user, from(sequence), {1, now + std::chrono::seconds(60), false});
  }
  SteadyTime now = SteadyTime() + std::chrono::hours(1);
  UserPending pending{{3, 100}};
};

TEST_F(UserPendingTest, RequestsCountUntilTheirAnswer) {
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(request("ann", i));
  EXPECT_FALSE(request("ann", 3));
  EXPECT_TRUE(request("bob", 4));
  pending.answered(from(1));
  EXPECT_TRUE(request("ann", 3));
  pending.answered(from(1));
  pending.answered(from(77));
  EXPECT_EQ(pending.messages(), 4u);
}

TEST_F(UserPendingTest, CommandsCountUntilTheirTtlIsOver) {
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(command("ann", i));
  pending.answered(from(0));  // the broker has it, and nobody says whether the service has
  EXPECT_FALSE(command("ann", 3));
  pending.not_sent(from(0));  // there is no such service
  EXPECT_TRUE(command("ann", 3));
  now += std::chrono::seconds(61);
  pending.sweep(now);
  EXPECT_EQ(pending.messages(), 0u);
  EXPECT_EQ(pending.users(), 0u);
}

TEST_F(UserPendingTest, BytesCountToo) {
  EXPECT_TRUE(request("ann", 1, 1000)) << "a large one passes where there is nothing else";
  EXPECT_FALSE(request("ann", 2, 1));
  pending.answered(from(1));
  EXPECT_TRUE(request("ann", 2, 60));
  EXPECT_FALSE(request("ann", 3, 41));
  EXPECT_TRUE(request("ann", 3, 40));
}

TEST_F(UserPendingTest, ARecordThatIsNumberedTwiceCountsOnce) {
  EXPECT_TRUE(request("ann", 1));
  EXPECT_TRUE(request("ann", 1));
  EXPECT_TRUE(request("bob", 1));
  EXPECT_EQ(pending.messages(), 1u);
  EXPECT_EQ(pending.users(), 1u);
}

TEST_F(UserPendingTest, SweepsGoRoundInParts) {
  UserPending many{{100'000, 0}};
  for (std::uint64_t i = 0; i < 50'000; ++i)
    EXPECT_TRUE(many.take("ann", from(i), {1, now + std::chrono::seconds(i % 2 == 0 ? 1 : 100), true}));
  now += std::chrono::seconds(2);
  for (int i = 0; i < 4; ++i) many.sweep(now);
  EXPECT_EQ(many.messages(), 25'000u);
  UserPending off{{0, 0}};
  EXPECT_TRUE(off.take("ann", from(1), {1, now, true}));
  EXPECT_EQ(off.messages(), 0u);
}

}  // namespace
}  // namespace nuropb::meshd
