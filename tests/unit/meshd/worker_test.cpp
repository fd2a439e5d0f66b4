// A worker as meshd sees it; the test controls the edge's side of the shared memory, as an honest, slow or hostile
// edge.

#include "meshd/workers/worker.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nuropb::meshd {
namespace {

using records::Type;

class WorkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto segments = shm::MeshdSegments::create(1, 2, {8192, 4096});
    ASSERT_TRUE(segments);
    auto edge = shm::EdgeSegments::open(shm::UniqueFd(::dup(segments->fd_m())), shm::UniqueFd(::dup(segments->fd_e())));
    ASSERT_TRUE(edge);
    edge_.emplace(std::move(*edge));
    auto bells = shm::Doorbell::pair();
    ASSERT_TRUE(bells);
    edge_bell_ = std::move(bells->second);
    worker_.emplace(WorkerId{1, 2}, shm::ControlChannel(), std::move(bells->first), std::move(*segments),
                    shm::PeerCredentials{}, shm::UniqueFd(), WorkerLimits{10, 1024, 8192});
    worker_->on_delivered = [this](ServiceMeshManager::Receipt receipt) { delivered_.push_back(receipt.tag); };
    requests_ = edge_->requests();
    answers_ = edge_->responses();
  }
  Worker::Next next() {
    shm::RecordHeader header;
    return worker_->next(header, payload_);
  }
  void write(std::uint16_t type, std::string_view payload) {
    ASSERT_TRUE(requests_.write(type, 0, 7, {payload}));
    (void)requests_.commit();
  }
  static ServiceMeshManager::Receipt receipt(std::uint64_t tag) { return {1, 2, tag}; }
  std::size_t read_answers() {
    std::size_t count = 0;
    shm::RecordHeader header;
    std::string payload;
    while (answers_.peek(header) == shm::RingReader::Next::record) {
      answers_.take(header, payload);
      ++count;
    }
    (void)answers_.release();
    return count;
  }
  std::optional<shm::EdgeSegments> edge_;
  std::optional<Worker> worker_;
  shm::Doorbell edge_bell_;
  shm::RingWriter requests_;
  shm::RingReader answers_;
  std::string payload_;
  std::vector<std::uint64_t> delivered_;
};

TEST_F(WorkerTest, RecordsOfTheTableAreTaken) {
  std::string close;
  records::encode(records::CloseSession{3, 4}, close);
  write(static_cast<std::uint16_t>(Type::close_session), close);
  ASSERT_EQ(next(), Worker::Next::record);
  EXPECT_EQ(payload_, close);
  EXPECT_EQ(next(), Worker::Next::empty);
}

TEST_F(WorkerTest, OneThatShowsNoLifeHangs) {
  for (int i = 0; i < 10; ++i) {
    edge_->beat();
    EXPECT_FALSE(worker_->hangs(3)) << i;
  }
  EXPECT_FALSE(worker_->hangs(3));
  EXPECT_FALSE(worker_->hangs(3));
  edge_->beat();
  EXPECT_FALSE(worker_->hangs(3)) << "late, but alive";
  EXPECT_FALSE(worker_->hangs(3));
  EXPECT_FALSE(worker_->hangs(3));
  EXPECT_TRUE(worker_->hangs(3));
}

TEST_F(WorkerTest, WhatIsNotInTheTableIsAViolationThatNamesIt) {
  write(999, "x");
  EXPECT_EQ(next(), Worker::Next::violation);
  EXPECT_EQ(worker_->why(), "unknown record type 999");
  EXPECT_EQ(next(), Worker::Next::violation) << "for good";
}

TEST_F(WorkerTest, MeshdsOwnRecordsAreNotTakenFromAnEdge) {
  write(static_cast<std::uint16_t>(Type::session_accepted), std::string(40, 'x'));
  EXPECT_EQ(next(), Worker::Next::violation);
}

TEST_F(WorkerTest, ARecordLargerThanAMessageMayBeIsAViolation) {
  write(static_cast<std::uint16_t>(Type::request),
        std::string(1024 + 255 + 255 + 1024 + records::max_traceparent + 48 + 1, 'x'));
  EXPECT_EQ(next(), Worker::Next::violation);
  EXPECT_NE(worker_->why().find("record type 3 with"), std::string::npos) << worker_->why();
}

TEST_F(WorkerTest, SettledFollowsTheBrokersWordInOrder) {
  std::string close;
  records::encode(records::CloseSession{3, 4}, close);
  for (int i = 0; i < 3; ++i) write(static_cast<std::uint16_t>(Type::close_session), close);
  std::vector<std::uint64_t> work;
  while (next() == Worker::Next::record) work.push_back(worker_->begin_work());
  ASSERT_EQ(work.size(), 3u);
  worker_->settle(work[1]);
  worker_->end_of_reading();
  worker_->flush();
  EXPECT_EQ(edge_->settled(), 0u);
  EXPECT_EQ(edge_->taken(), 3 * shm::record_size(close.size()));
  worker_->settle(work[0]);
  worker_->end_of_reading();
  worker_->flush();
  EXPECT_EQ(edge_->settled(), 2 * shm::record_size(close.size()));
}

TEST_F(WorkerTest, AnswersAreDeliveredOnceTheyLieInTheRing) {
  ASSERT_TRUE(worker_->send(Type::response, 1, "answer", receipt(5)));
  EXPECT_EQ(delivered_, std::vector<std::uint64_t>{5});
  EXPECT_EQ(read_answers(), 0u) << "not committed yet";
  worker_->flush();
  EXPECT_EQ(read_answers(), 1u);
}

TEST_F(WorkerTest, WhatFindsNoRoomWaitsInOrderAndIsDeliveredLater) {
  for (std::uint64_t i = 0; i < 8; ++i)
    ASSERT_TRUE(worker_->send(Type::response, i, std::string(1000, 'x'), receipt(i)));
  worker_->flush();
  EXPECT_EQ(delivered_.size(), 4u);
  EXPECT_GT(worker_->outbox_bytes(), 0u);
  EXPECT_EQ(read_answers(), 4u);
  EXPECT_EQ(edge_bell_.hear(), 0) << "an edge that does not sleep is not woken";
  worker_->flush();
  EXPECT_EQ(delivered_, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(read_answers(), 4u);
  EXPECT_EQ(worker_->outbox_bytes(), 0u);
}

TEST_F(WorkerTest, AnEdgeThatNeverReadsIsBounded) {
  bool taken = true;
  int sent = 0;
  for (; taken && sent < 1000; ++sent) {
    taken = worker_->send(Type::response, 1, std::string(1000, 'x'));
    worker_->flush();
  }
  EXPECT_FALSE(taken);
  EXPECT_LE(worker_->outbox_bytes(), 8192u);
  EXPECT_LT(sent, 20);
}

TEST_F(WorkerTest, WithTheEdgeGoesWhatWaitedForIt) {
  for (std::uint64_t i = 0; i < 8; ++i)
    ASSERT_TRUE(worker_->send(Type::response, i, std::string(1000, 'x'), receipt(i)));
  worker_->abandon();
  EXPECT_EQ(delivered_.size(), 8u) << "nobody waits any more, so the broker may forget them";
  EXPECT_EQ(worker_->outbox_bytes(), 0u);
}

TEST_F(WorkerTest, AForgedHeadOfTheReturnRingIsAViolation) {
  // The edge's own page, where it may write anything.
  ASSERT_TRUE(worker_->send(Type::response, 1, "x"));
  worker_->flush();
  shm::RecordHeader header;
  std::string payload;
  ASSERT_EQ(answers_.peek(header), shm::RingReader::Next::record);
  header.length = 3000;  // it "reads" more than was ever written
  answers_.take({3000, 0, 0, 0}, payload);
  (void)answers_.release();
  for (int i = 0; i < 8; ++i) (void)worker_->send(Type::response, 1, std::string(1000, 'x'));
  worker_->flush();
  EXPECT_NE(worker_->why().find("return ring"), std::string::npos) << worker_->why();
}

TEST_F(WorkerTest, KillEndsTheVeryProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  auto segments = shm::MeshdSegments::create(1, 3, {8192, 4096});
  ASSERT_TRUE(segments);
  Worker worker({1, 3}, shm::ControlChannel(), shm::Doorbell(), std::move(*segments), {child, 0, 0},
                shm::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0))), {});
  worker.kill();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace
}  // namespace nuropb::meshd
