#include "meshd/timers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace nuropb::meshd {
namespace {

using ::testing::ElementsAre;

class TimersTest : public ::testing::Test {
 protected:
  void pass(milliseconds time) {
    clock_.advance(time);
    timers_.run_due();
  }
  std::function<void()> note(std::string what) {
    return [this, what] { ran_.push_back(what); };
  }
  boost::asio::io_context io_;
  ManualClock clock_;
  Timers timers_{io_, clock_};
  std::vector<std::string> ran_;
};

TEST_F(TimersTest, WorkRunsOnceWhenItIsDueAndInTheOrderOfTheTimes) {
  Timers::Timer one(timers_), two(timers_), three(timers_);
  one.after(milliseconds(30), note("30"));
  two.after(milliseconds(10), note("10"));
  three.at(clock_.now() + milliseconds(20), note("20"));
  EXPECT_EQ(timers_.next(), clock_.now() + milliseconds(10));
  EXPECT_TRUE(two.armed());
  pass(milliseconds(9));
  EXPECT_TRUE(ran_.empty());
  pass(milliseconds(21));
  EXPECT_THAT(ran_, ElementsAre("10", "20", "30"));
  EXPECT_FALSE(two.armed());
  EXPECT_EQ(timers_.next(), SteadyTime::max());
  pass(milliseconds(1000));
  EXPECT_EQ(ran_.size(), 3U);
}

TEST_F(TimersTest, ATimerThatIsArmedAgainWaitsForTheNewTimeOnly) {
  Timers::Timer timer(timers_);
  timer.after(milliseconds(10), note("first"));
  timer.after(milliseconds(30), note("second"));
  pass(milliseconds(20));
  EXPECT_TRUE(ran_.empty());
  pass(milliseconds(10));
  EXPECT_THAT(ran_, ElementsAre("second"));
}

TEST_F(TimersTest, ATimerThatIsCancelledOrDestroyedRunsNothing) {
  Timers::Timer cancelled(timers_);
  std::optional<Timers::Timer> destroyed;
  destroyed.emplace(timers_);
  cancelled.after(milliseconds(10), note("cancelled"));
  destroyed->after(milliseconds(10), note("destroyed"));
  cancelled.cancel();
  cancelled.cancel();
  destroyed.reset();
  pass(milliseconds(20));
  EXPECT_TRUE(ran_.empty());
}

TEST_F(TimersTest, WorkMayArmItsOwnTimerAndDestroyOthers) {
  Timers::Timer again(timers_);
  std::optional<Timers::Timer> other;
  other.emplace(timers_);
  other->after(milliseconds(10), note("other"));
  again.after(milliseconds(5), [&] {
    ran_.push_back("again");
    other.reset();
    again.after(milliseconds(100), note("later"));
  });
  pass(milliseconds(50));
  EXPECT_THAT(ran_, ElementsAre("again"));
  pass(milliseconds(100));
  EXPECT_THAT(ran_, ElementsAre("again", "later"));
}

TEST(Timers, TheEventLoopWaitsForTheEarliestByItself) {
  boost::asio::io_context io;
  SystemClock clock;
  Timers timers(io, clock);
  Timers::Timer later(timers), sooner(timers);
  std::vector<std::string> ran;
  later.after(milliseconds(20), [&] { ran.emplace_back("later"); });
  sooner.after(milliseconds(1), [&] { ran.emplace_back("sooner"); });
  io.run();  // until no timer is armed
  EXPECT_THAT(ran, ElementsAre("sooner", "later"));
}

}  // namespace
}  // namespace nuropb::meshd
