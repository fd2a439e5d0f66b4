#include "meshd/workers/worker_pool.hpp"

#include <gtest/gtest.h>

#include "common/clock.hpp"
#include "tests/unit/meshd/fake_workers.hpp"

namespace nuropb::meshd {
namespace {

class WorkerPoolTest : public ::testing::Test {
 protected:
  WorkerPool::Callbacks callbacks() {
    const auto note = [this](const char* what) { return [this, what](Worker&) { said_.emplace_back(what); }; };
    return {note("attached"),
            note("news"),
            note("closed"),
            note("room"),
            [this] { said_.emplace_back("flushed"); },
            [this](Worker& worker) {
              said_.emplace_back("detaching");
              EXPECT_EQ(pool_.find(worker.id()), &worker) << "it is still there";
            },
            [this](WorkerId id) {
              said_.emplace_back("detached");
              EXPECT_EQ(pool_.find(id), nullptr);
            },
            [this] { said_.emplace_back("acknowledge"); },
            [this] { said_.emplace_back("turn"); }};
  }
  std::vector<std::string> said() { return std::exchange(said_, {}); }
  Worker& adopt() {
    pool_.adopt(edge_.take());
    return *pool_.find(id_);
  }

  static constexpr WorkerId id_{1, 2};
  using Said = std::vector<std::string>;
  std::vector<std::string> said_;
  SystemClock clock_;
  boost::asio::io_context io_;
  Timers timers_{io_, clock_};
  FakeWorker edge_{id_};
  WorkerPool pool_{io_, timers_, callbacks()};
};

TEST_F(WorkerPoolTest, AWorkerIsReadAtOnceWhenItAttaches) {
  adopt();
  EXPECT_EQ(said(), (Said{"news", "attached"}));
  EXPECT_EQ(pool_.size(), 1u);
}

TEST_F(WorkerPoolTest, WhatWasSentIsShownWhenTheTurnEnds) {
  Worker& worker = adopt();
  said();
  records::CloseSession record{1, 2};
  std::string payload;
  records::encode(record, payload);
  pool_.send(worker, records::Type::end_session, 7, payload, "anything");
  EXPECT_TRUE(edge_.read().empty()) << "not shown yet";
  EXPECT_TRUE(pool_.unflushed());
  pool_.flush();
  EXPECT_FALSE(pool_.unflushed());
  const auto got = edge_.read();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].sequence, 7u);
  EXPECT_EQ(said(), (Said{"room", "flushed", "acknowledge"}));
  pool_.flush();
  EXPECT_EQ(said(), (Said{"flushed", "acknowledge"})) << "nothing is to be done for the worker";
}

TEST_F(WorkerPoolTest, AWorkerThatBrokeTheRulesIsDetachedAfterAllAreFlushed) {
  Worker& worker = adopt();
  said();
  worker.violate("for the test");
  pool_.touch(worker);
  pool_.flush();
  EXPECT_EQ(said(), (Said{"room", "flushed", "detaching", "detached", "acknowledge"}));
  EXPECT_EQ(pool_.killed(), 1u);
  EXPECT_EQ(pool_.size(), 0u);
}

TEST_F(WorkerPoolTest, AWorkerThatDoesNotReadIsEnded) {
  Worker& worker = adopt();
  for (int i = 0; i < 1000 && worker.why().empty(); ++i)
    pool_.send(worker, records::Type::mesh_event, 0, std::string(4096, 'x'), "its events");
  EXPECT_NE(worker.why().find("does not read its events: "), std::string::npos) << worker.why();
}

TEST_F(WorkerPoolTest, ASecondDetachIsNoMistake) {
  adopt();
  said();
  pool_.detach(id_, "for the test", false);
  pool_.detach(id_, "for the test", false);
  EXPECT_EQ(said(), (Said{"detaching", "detached"}));
  EXPECT_EQ(pool_.killed(), 0u);
}

TEST_F(WorkerPoolTest, AWorkerWithoutASignOfLifeIsKilled) {
  adopt();
  for (int i = 0; i < 5; ++i) {
    edge_.segments().beat();
    pool_.beat(3);
  }
  EXPECT_EQ(pool_.size(), 1u);
  for (int i = 0; i < 3; ++i) pool_.beat(3);
  EXPECT_EQ(pool_.size(), 0u);
  EXPECT_EQ(pool_.killed(), 1u);
}

TEST_F(WorkerPoolTest, SendingToAWorkerThatIsGoneDoesNothing) {
  pool_.send(WorkerId{9, 9}, records::Type::end_session, 0, "x");
  EXPECT_TRUE(said().empty());
}

}  // namespace
}  // namespace nuropb::meshd
