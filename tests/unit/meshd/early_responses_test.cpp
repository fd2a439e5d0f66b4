#include "meshd/routing/early_responses.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

constexpr WorkerId one{1, 7}, other{2, 7};

class EarlyResponsesTest : public ::testing::Test {
 protected:
  static Returned response(WorkerId to, std::size_t bytes = 10) {
    return {{0, to.slot, to.generation, 0, 1}, std::string(bytes, 'x')};
  }
  bool hold(WorkerId to, std::uint64_t tag, std::size_t bytes = 10) {
    Returned held = response(to, bytes);
    return early_.hold(held, {0, 0, tag});
  }
  void release(WorkerId worker) {
    early_.release(
        worker, [this](Returned&&, const mesh::Delivery& receipt) { delivered_.push_back(receipt.tag); },
        [this](const mesh::Delivery& receipt) { dropped_.push_back(receipt.tag); });
  }
  bool expire() {
    return early_.expire([this](const mesh::Delivery& receipt) { dropped_.push_back(receipt.tag); });
  }
  ManualClock clock_;
  EarlyResponses early_{clock_};
  std::vector<std::uint64_t> delivered_, dropped_;
};

TEST_F(EarlyResponsesTest, AWorkerGetsItsOwnWhenItAttaches) {
  ASSERT_TRUE(hold(one, 1));
  ASSERT_TRUE(hold(other, 2));
  release(one);
  EXPECT_EQ(delivered_, (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(early_.bytes(), 10u);
  release(other);
  EXPECT_EQ(delivered_, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_TRUE(dropped_.empty());
  EXPECT_EQ(early_.bytes(), 0u);
}

TEST_F(EarlyResponsesTest, ASuccessorInTheSlotGetsNothing) {
  ASSERT_TRUE(hold(one, 1));
  release({one.slot, one.generation + 1});
  EXPECT_TRUE(delivered_.empty());
}

TEST_F(EarlyResponsesTest, TheTimeBeginsWhenTheBrokerIsReadyForTheFirstTime) {
  clock_.advance(std::chrono::hours(1));
  ASSERT_TRUE(hold(one, 1));
  early_.broker_ready();
  clock_.advance(EarlyResponses::wait - milliseconds(1));
  EXPECT_FALSE(expire());
  early_.broker_ready();  // again: no new time
  clock_.advance(milliseconds(1));
  EXPECT_FALSE(hold(one, 2));
  EXPECT_TRUE(expire());
  EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{1}));
  EXPECT_FALSE(expire()) << "there is none any more";
}

TEST_F(EarlyResponsesTest, WhatCantBeHeldAnyLongerIsDroppedWhenAnotherWorkerComes) {
  ASSERT_TRUE(hold(one, 1));
  early_.broker_ready();
  clock_.advance(EarlyResponses::wait);
  release(other);
  EXPECT_EQ(dropped_, (std::vector<std::uint64_t>{1}));
}

TEST_F(EarlyResponsesTest, TheyAreBoundedInBytes) {
  ASSERT_TRUE(hold(one, 1, EarlyResponses::most_bytes - 5));
  EXPECT_FALSE(hold(one, 2, 6));
  EXPECT_TRUE(hold(one, 3, 5));
}

}  // namespace
}  // namespace nuropb::meshd
