#include "edge/net/liveness.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

using std::chrono::seconds;

struct Fake final : Liveness::Socket {
  int pings = 0, unresponsive = 0, idle = 0;
  std::uint64_t bytes = 0;
  void send_ping() override { ++pings; }
  std::uint64_t taken() const override { return bytes; }
  void on_unresponsive() override { ++unresponsive; }
  void on_idle() override { ++idle; }
};

class LivenessTest : public ::testing::Test {
 protected:
  void at(int second) {
    now_ = Liveness::Time(seconds(1000 + second));
    liveness_.tick(now_);
  }
  Liveness liveness_{{seconds(25), seconds(20), seconds(100)}};
  Liveness::Time now_{seconds(1000)};
};

TEST_F(LivenessTest, OneThatSaysNothingIsPingedAndThenGivenUp) {
  Fake silent;
  liveness_.watch(silent, now_);
  EXPECT_EQ(liveness_.next(), now_ + seconds(25));
  at(24);
  EXPECT_EQ(silent.pings, 0);
  at(25);
  EXPECT_EQ(silent.pings, 1);
  at(44);
  EXPECT_EQ(silent.unresponsive, 0);
  at(45);
  EXPECT_EQ(silent.unresponsive, 1);
  EXPECT_EQ(liveness_.next(), Liveness::Time::max()) << "no socket is watched any more";
}

TEST_F(LivenessTest, APongBeginsAnew) {
  Fake one, other;
  liveness_.watch(one, now_);
  liveness_.watch(other, now_);
  for (int second = 25; second < 90; second += 25) {
    at(second);
    liveness_.heard(one, now_);
  }
  at(99);
  EXPECT_EQ(one.pings, 3);
  EXPECT_EQ(one.unresponsive, 0);
  EXPECT_EQ(other.unresponsive, 1);
}

TEST_F(LivenessTest, ASlowReaderIsNoDeadOne) {
  Fake slow;
  liveness_.watch(slow, now_);
  at(25);
  slow.bytes = 1;
  at(45);
  EXPECT_EQ(slow.unresponsive, 0);
  at(65);
  EXPECT_EQ(slow.unresponsive, 1) << "nothing has moved since";
}

TEST_F(LivenessTest, NothingIsExpectedWhileNobodyReads) {
  Fake paused;
  liveness_.watch(paused, now_);
  at(25);
  liveness_.leave(paused);
  liveness_.heard(paused, now_);
  at(200);
  EXPECT_EQ(paused.unresponsive + paused.idle, 0);
  liveness_.watch(paused, now_);
  at(224);
  EXPECT_EQ(paused.pings, 1);
  at(225);
  EXPECT_EQ(paused.pings, 2);
}

TEST_F(LivenessTest, PongsAreNoMessages) {
  Fake idle;
  liveness_.watch(idle, now_);
  for (int second = 10; second < 100; second += 10) {
    at(second);
    liveness_.heard(idle, now_);
  }
  EXPECT_EQ(idle.idle, 0);
  at(100);
  EXPECT_EQ(idle.idle, 1);
}

TEST_F(LivenessTest, OneThatIsDestroyedLeaves) {
  Fake stays;
  {
    Fake goes;
    liveness_.watch(goes, now_);
    liveness_.watch(stays, now_);
  }
  at(25);
  EXPECT_EQ(stays.pings, 1);
}

TEST(Liveness, WithoutLimitsItDoesNothing) {
  Liveness none({seconds(0), seconds(20), seconds(0)});
  Fake one;
  none.watch(one, Liveness::Time(seconds(1)));
  EXPECT_EQ(none.next(), Liveness::Time::max());
}

}  // namespace
}  // namespace nuropb::edge
