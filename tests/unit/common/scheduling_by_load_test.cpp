#include "common/scheduling_by_load.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace nuropb {
namespace {

using std::chrono::milliseconds;

class SchedulingByLoadTest : public ::testing::Test {
 protected:
  /// Each in its own thread, so that no test inherits another's policy.
  template <class Work>
  static void in_a_thread(Work work) {
    std::thread(work).join();
  }
  static int policy() { return ::sched_getscheduler(0); }
  /// The number of messages of one window, within the given time.
  void handle(SchedulingByLoad& scheduling, milliseconds within) {
    scheduling.handled(SchedulingByLoad::window - 1);
    clock_.advance(within);
    scheduling.handled(1);
  }
  ManualClock clock_;
};

TEST_F(SchedulingByLoadTest, AsUsualUntilThereIsMuchToDo) {
  in_a_thread([this] {
    SchedulingByLoad scheduling(clock_);
    EXPECT_EQ(policy(), SCHED_OTHER);
    handle(scheduling, SchedulingByLoad::busy);
    EXPECT_EQ(policy(), SCHED_OTHER);
    handle(scheduling, SchedulingByLoad::busy - milliseconds(1));
    EXPECT_EQ(policy(), SCHED_BATCH);
  });
}

TEST_F(SchedulingByLoadTest, ABatchUntilThereIsLittle) {
  in_a_thread([this] {
    SchedulingByLoad scheduling(clock_);
    handle(scheduling, milliseconds(1));
    handle(scheduling, SchedulingByLoad::calm);
    EXPECT_EQ(policy(), SCHED_BATCH) << "between much and little it stays as it is";
    handle(scheduling, SchedulingByLoad::calm + milliseconds(1));
    EXPECT_EQ(policy(), SCHED_OTHER);
  });
}

TEST_F(SchedulingByLoadTest, WithNoMessagesATickTells) {
  in_a_thread([this] {
    SchedulingByLoad scheduling(clock_);
    handle(scheduling, milliseconds(1));
    scheduling.handled(SchedulingByLoad::window - 1);
    clock_.advance(SchedulingByLoad::calm);
    scheduling.tick();
    EXPECT_EQ(policy(), SCHED_BATCH);
    clock_.advance(milliseconds(1));
    scheduling.tick();
    EXPECT_EQ(policy(), SCHED_OTHER);
    // Earlier messages no longer count.
    scheduling.handled(1);
    EXPECT_EQ(policy(), SCHED_OTHER);
  });
}

TEST_F(SchedulingByLoadTest, WhoeverStartedTheThreadOtherwiseHasItsWay) {
  in_a_thread([this] {
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
    SchedulingByLoad scheduling(clock_);
    handle(scheduling, milliseconds(1));
    EXPECT_EQ(policy(), SCHED_IDLE);
    clock_.advance(milliseconds(1000));
    scheduling.tick();
    EXPECT_EQ(policy(), SCHED_IDLE);
  });
}

}  // namespace
}  // namespace nuropb
