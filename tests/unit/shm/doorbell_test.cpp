#include "shm/doorbell.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <string>
#include <thread>

namespace nuropb::shm {
namespace {

class DoorbellTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // as all our programs do
    auto made = Doorbell::pair();
    ASSERT_TRUE(made) << made.error().text();
    std::tie(meshd_, edge_) = std::move(*made);
  }
  static bool readable(int fd) {
    pollfd waiting{fd, POLLIN, 0};
    return ::poll(&waiting, 1, 0) == 1;
  }
  Doorbell meshd_, edge_;
};

TEST_F(DoorbellTest, IsHeardOnTheOtherSideOnly) {
  EXPECT_EQ(meshd_.hear(), 0);
  edge_.ring();
  EXPECT_TRUE(readable(meshd_.fd()));
  EXPECT_FALSE(readable(edge_.fd()));
  EXPECT_EQ(meshd_.hear(), 1);
  EXPECT_FALSE(readable(meshd_.fd()));
  meshd_.ring();
  meshd_.ring();
  EXPECT_EQ(edge_.hear(), 2);
}

TEST_F(DoorbellTest, AFloodNeitherBlocksWhoRingsNorHoldsWhoHears) {
  for (int i = 0; i < 200'000; ++i) edge_.ring();  // far more than a pipe takes
  EXPECT_EQ(meshd_.hear(), Doorbell::at_once);
  EXPECT_TRUE(readable(meshd_.fd())) << "some were read, not all";
}

TEST_F(DoorbellTest, WhatWasRungBeforeTheEndIsHeardAndThenTheEnd) {
  edge_.ring();
  edge_ = {};
  EXPECT_EQ(meshd_.hear(), 1);
  EXPECT_FALSE(meshd_.hear());
  meshd_.ring();  // without a reader
}

/// A shared eventfd would fail this: its flags and its counter belong to both sides.
TEST_F(DoorbellTest, AnEdgeThatFillsItAndTakesItsFlagsAwayBlocksNobodyButItself) {
  const std::string by_number = "/proc/self/fd/" + std::to_string(edge_.fd());
  UniqueFd filling(::open(by_number.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(filling) << "a pipe's other end can be opened by who has one";
  const std::string rubbish(4096, 'x');
  while (::write(filling.get(), rubbish.data(), rubbish.size()) > 0) {}
  for (const int fd : {edge_.fd(), edge_.ring_fd(), filling.get()}) ASSERT_EQ(::fcntl(fd, F_SETFL, 0), 0);
  meshd_.ring();
  EXPECT_EQ(meshd_.hear(), 0);
}

/// Otherwise a process that copies into it could hold the kernel's lock for long.
TEST_F(DoorbellTest, IsOnePageEachWay) {
  for (const int fd : {meshd_.fd(), meshd_.ring_fd()}) EXPECT_EQ(::fcntl(fd, F_GETPIPE_SZ), 4096);
}

TEST_F(DoorbellTest, WaitsUntilItIsRungAndUntilTheEnd) {
  std::thread edge([this] {
    edge_.ring();
    EXPECT_TRUE(edge_.wait());
    edge_ = {};
  });
  EXPECT_TRUE(meshd_.wait());
  meshd_.ring();
  EXPECT_FALSE(meshd_.wait());
  edge.join();
}

TEST_F(DoorbellTest, IsNotPassedOnToProgramsThatAreStarted) {
  for (const int fd : {meshd_.fd(), meshd_.ring_fd(), edge_.fd(), edge_.ring_fd()})
    EXPECT_TRUE(::fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

}  // namespace
}  // namespace nuropb::shm
