#include "common/rate_limit.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

using Over = RateLimit::Over;
using std::chrono::milliseconds;

class RateLimitTest : public ::testing::Test {
 protected:
  int taken(int tries, std::size_t bytes = 1) {
    int out = 0;
    for (int i = 0; i < tries; ++i) out += limit_.take(rates_, clock_.now(), bytes).over == Over::nothing ? 1 : 0;
    return out;
  }
  ManualClock clock_;
  Rates rates_;
  RateLimit limit_;
};

TEST_F(RateLimitTest, WithoutRatesEverythingPasses) {
  EXPECT_FALSE(rates_.any());
  EXPECT_EQ(taken(100'000, 1 << 20), 100'000);
}

TEST_F(RateLimitTest, ABurstAtOnceAndThenTheRate) {
  rates_ = {10, 25, 0, 0};
  EXPECT_EQ(taken(30), 25);
  clock_.advance(milliseconds(100));
  EXPECT_EQ(taken(5), 1);
  clock_.advance(milliseconds(450));
  EXPECT_EQ(taken(10), 4) << "half a message is kept";
  clock_.advance(milliseconds(50));
  EXPECT_EQ(taken(10), 1);
  clock_.advance(std::chrono::hours(10));
  EXPECT_EQ(taken(30), 25) << "no more than a burst is saved up";
}

TEST_F(RateLimitTest, ABurstOfNoneIsASecondsWorth) {
  rates_ = {7, 0, 0, 0};
  EXPECT_EQ(taken(20), 7);
}

TEST_F(RateLimitTest, BytesCountToo) {
  rates_ = {1000, 0, 1000, 3000};
  EXPECT_EQ(taken(10, 1000), 3);
  EXPECT_EQ(limit_.take(rates_, clock_.now(), 1000).over, Over::bytes);
  EXPECT_EQ(limit_.take(rates_, clock_.now(), 0).over, Over::nothing)
      << "what is refused costs nothing of the other rate";
}

TEST_F(RateLimitTest, OneLargerThanTheBurstPassesAfterARestAndIsPaidFor) {
  rates_ = {0, 0, 1000, 1000};
  EXPECT_EQ(taken(2, 5000), 1);
  clock_.advance(milliseconds(4900));
  EXPECT_EQ(taken(1, 901), 0) << "a tenth of the bucket is still owed";
  clock_.advance(milliseconds(200));
  EXPECT_EQ(taken(1, 1000), 1);
}

TEST_F(RateLimitTest, ALittleTooFastIsRefusedNowAndThenAndNeverTheEnd) {
  rates_ = {10, 10, 0, 0};
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {  // at 15 a second
    const auto answer = limit_.take(rates_, clock_.now(), 1);
    EXPECT_FALSE(answer.out_of_patience);
    refused += answer.over == Over::nothing ? 0 : 1;
    clock_.advance(std::chrono::microseconds(66'667));
  }
  EXPECT_NEAR(refused, 3333, 20);
}

TEST_F(RateLimitTest, MuchTooFastForLongIsTheEnd) {
  rates_ = {10, 10, 0, 0};
  int sent = 0;
  while (!limit_.take(rates_, clock_.now(), 1).out_of_patience) {  // at 100 a second
    ASSERT_LT(++sent, 1000);
    clock_.advance(milliseconds(10));
  }
  EXPECT_GE(sent, 20) << "a burst, and a penalty budget of the same size";
  EXPECT_LE(sent, 30);
}

TEST_F(RateLimitTest, HugeNumbersDoNotOverflow) {
  rates_ = {0xffff'ffff, 0xffff'ffff, 1, 0xffff'ffff};
  EXPECT_EQ(taken(1, std::size_t{1} << 40), 1);
  EXPECT_EQ(taken(1, std::size_t{1} << 40), 0);
  EXPECT_EQ(taken(1, std::size_t{1} << 40), 0);
}

TEST_F(RateLimitTest, RestedOnceAllIsFullAgain) {
  rates_ = {10, 10, 0, 0};
  EXPECT_TRUE(limit_.rested(clock_.now()));
  taken(20);
  EXPECT_FALSE(limit_.rested(clock_.now()));
  clock_.advance(milliseconds(999));
  EXPECT_FALSE(limit_.rested(clock_.now()));
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(limit_.rested(clock_.now()));
}

}  // namespace
}  // namespace nuropb
