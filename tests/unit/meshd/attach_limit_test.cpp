#include "meshd/workers/attach_limit.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

using std::chrono::milliseconds;
constexpr SteadyTime start{std::chrono::hours(1)};

int attachments(AttachLimit& limit, bool returning, SteadyTime now, int attempts = 1000) {
  int taken = 0;
  for (int i = 0; i < attempts; ++i) taken += limit.may_attach(returning, now);
  return taken;
}
int connections(AttachLimit& limit, pid_t process, SteadyTime now, int attempts = 1000) {
  int taken = 0;
  for (int i = 0; i < attempts; ++i) taken += limit.may_connect(process, now);
  return taken;
}

TEST(AttachLimit, AllWorkersThatThereMayBeComeAtOnce) {
  AttachLimit few(4), many(150);
  EXPECT_EQ(attachments(few, false, start), 32) << "and edges that are killed again and again";
  EXPECT_EQ(attachments(many, false, start), 150);
}

TEST(AttachLimit, ThenSoManyASecondHoweverManyTry) {
  AttachLimit limit(32);
  attachments(limit, false, start);
  int taken = 0;
  for (int ms = 1; ms <= 10'000; ++ms) taken += limit.may_attach(false, start + milliseconds(ms));
  EXPECT_EQ(taken, 100);
}

TEST(AttachLimit, WhoComesBackIsNotHeldUpByNewcomers) {
  AttachLimit limit(32);
  attachments(limit, false, start);
  EXPECT_FALSE(limit.may_attach(false, start));
  EXPECT_EQ(attachments(limit, true, start), 32);
}

TEST(AttachLimit, AProcessThatConnectsWithoutEndIsTheOnlyOneToFeelIt) {
  AttachLimit limit(32);
  EXPECT_EQ(connections(limit, 100, start), 20);
  EXPECT_EQ(connections(limit, 101, start), 20);
  EXPECT_FALSE(limit.may_connect(100, start + milliseconds(200)));
  EXPECT_TRUE(limit.may_connect(100, start + milliseconds(300)));
  EXPECT_EQ(connections(limit, 100, start + std::chrono::minutes(1)), 20) << "it is as if it had never come";
}

TEST(AttachLimit, AnEdgeThatIsRefusedEveryHalfSecondIsHeardEachTime) {
  AttachLimit limit(32);
  for (int n = 0; n < 1000; ++n) ASSERT_TRUE(limit.may_connect(100, start + milliseconds(500) * n)) << n;
}

TEST(AttachLimit, ProcessesWithoutEndTakeNoMemoryWithoutEnd) {
  AttachLimit limit(32);
  for (pid_t process = 1; process < 100'000; ++process) {
    EXPECT_TRUE(limit.may_connect(process, start));
    ASSERT_LE(limit.remembered(), 256u);
  }
}

TEST(AttachLimit, OneThatFloodsIsNotForgottenForOthersThatHaveRested) {
  AttachLimit limit(32);
  connections(limit, 1, start);
  for (int n = 0; n < 2000; ++n) EXPECT_TRUE(limit.may_connect(1000 + n, start + milliseconds(2) * n));
  EXPECT_FALSE(limit.may_connect(1, start) && limit.may_connect(1, start))
      << "some time has passed, not enough for two";
}

}  // namespace
}  // namespace nuropb::meshd
