#include "meshd/workers/turn_scheduler.hpp"

#include <gtest/gtest.h>

#include "tests/unit/meshd/fake_workers.hpp"

namespace nuropb::meshd {
namespace {

class KeptRecords final : public RecordHandler {
 public:
  RecordResult handle(Worker& worker, const shm::RecordHeader& header, const std::string&) override {
    from.emplace_back(worker.id().slot, header.sequence);
    if (header.sequence == bad) return RecordResult::violation("for the test");
    if (!in_flight) return RecordResult::handled();
    (void)worker.begin_work();
    return RecordResult::in_flight();
  }
  void publish_read() override { ++published; }
  void publish_waiting() override {}
  [[nodiscard]] bool congested() const override { return full; }

  std::vector<std::pair<std::uint32_t, std::uint64_t>> from;  // slots and sequences
  std::uint64_t bad = UINT64_MAX;
  int published = 0;
  bool full = false, in_flight = false;
};

class TurnSchedulerTest : public ::testing::Test {
 protected:
  WorkerPool::Callbacks callbacks() {
    return {[](Worker&) {},
            [this](Worker& worker) { turns_.activate(worker); },
            [this](Worker& worker) { turns_.drain(worker); },
            [](Worker&) {},
            [] {},
            [this](Worker& worker) { turns_.forget(worker.id()); },
            [](WorkerId) {},
            [] {},
            [this] { turns_.schedule(); }};
  }
  void write(FakeWorker& edge, std::uint64_t first, int count) {
    for (int i = 0; i < count; ++i)
      edge.write(records::Type::close_session, records::CloseSession{1, 2}, first + static_cast<std::uint64_t>(i));
  }
  void run() {
    io_.restart();
    io_.poll();
  }
  ManualClock clock_;
  boost::asio::io_context io_;
  Timers timers_{io_, clock_};
  SchedulingByLoad load_{clock_};
  BatchTimes times_;
  KeptRecords handler_;
  FakeWorker first_{{1, 1}}, second_{{2, 1}};
  WorkerPool pool_{io_, timers_, callbacks()};
  TurnScheduler turns_{io_, clock_, times_, load_, pool_, handler_};
};

TEST_F(TurnSchedulerTest, NoWorkerIsReadBeyondItsBudgetWhileAnotherWaits) {
  write(first_, 0, 150);
  write(second_, 1000, 1);
  pool_.adopt(first_.take());
  pool_.adopt(second_.take());
  run();
  ASSERT_EQ(handler_.from.size(), 151u);
  const auto of_second = std::find(handler_.from.begin(), handler_.from.end(), std::pair(2U, std::uint64_t{1000}));
  EXPECT_EQ(of_second - handler_.from.begin(), 64) << "after the first one's budget";
}

TEST_F(TurnSchedulerTest, NothingIsReadWhileTheMeshHasNoRoom) {
  handler_.full = true;
  write(first_, 0, 3);
  pool_.adopt(first_.take());
  run();
  EXPECT_TRUE(handler_.from.empty());
  handler_.full = false;
  turns_.schedule_if_needed();
  run();
  EXPECT_EQ(handler_.from.size(), 3u);
}

TEST_F(TurnSchedulerTest, AfterAViolationNothingMoreIsRead) {
  handler_.bad = 1;
  write(first_, 0, 3);
  pool_.adopt(first_.take());
  run();
  EXPECT_EQ(handler_.from.size(), 2u);
  EXPECT_EQ(pool_.killed(), 1u);
}

TEST_F(TurnSchedulerTest, TheRingOfADeadEdgeIsReadToItsEnd) {
  write(first_, 0, 100);
  pool_.adopt(first_.take());
  turns_.drain(*pool_.find({1, 1}));
  EXPECT_EQ(handler_.from.size(), 100u);
  EXPECT_EQ(handler_.published, 1);
}

TEST_F(TurnSchedulerTest, ARecordIsSettledWhenItIsHandledAndNotWhileItIsInFlight) {
  handler_.in_flight = true;
  write(first_, 0, 1);
  pool_.adopt(first_.take());
  run();
  EXPECT_EQ(first_.segments().settled(), 0u);
  pool_.adopt(second_.take());
  handler_.in_flight = false;
  write(second_, 0, 1);
  turns_.activate(*pool_.find({2, 1}));
  run();
  EXPECT_GT(second_.segments().settled(), 0u);
}

TEST_F(TurnSchedulerTest, TheTimesOfABatchAreThoseOfItsReading) {
  clock_.advance(std::chrono::seconds(5));
  write(first_, 0, 1);
  pool_.adopt(first_.take());
  run();
  EXPECT_EQ(times_.reading, clock_.now());
  EXPECT_EQ(times_.batch, clock_.now());
}

}  // namespace
}  // namespace nuropb::meshd
