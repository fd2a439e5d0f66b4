#include "meshd/mesh/unsettled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace nuropb::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ack = Unsettled::Ack;

Unsettled delivered(std::uint64_t up_to) {
  Unsettled out;
  for (std::uint64_t tag = 1; tag <= up_to; ++tag) out.delivered(tag);
  return out;
}

TEST(Unsettled, OneFrameForAllThatAreSettledInOrder) {
  auto unsettled = delivered(4);
  for (const std::uint64_t tag : {1, 2, 3}) unsettled.ack(tag, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{3, true}));
  EXPECT_FALSE(unsettled.empty());
  unsettled.ack(4, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{4, false}));
  EXPECT_TRUE(unsettled.empty());
  EXPECT_THAT(unsettled.take(), IsEmpty());
}

TEST(Unsettled, InAnyOrderWithinATurn) {
  auto unsettled = delivered(3);
  for (const std::uint64_t tag : {3, 1, 2}) unsettled.ack(tag, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{3, true}));
}

TEST(Unsettled, WhatIsBehindASlowOneGoesByItselfAtOnce) {
  auto unsettled = delivered(3);
  unsettled.ack(2, false);
  unsettled.ack(3, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{2, false}, Ack{3, false}));
  EXPECT_FALSE(unsettled.empty());
  unsettled.ack(1, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{1, false}));  // and not for later ones, which the broker has forgotten
  EXPECT_TRUE(unsettled.empty());
}

TEST(Unsettled, ARejectedOneIsNoPlaceToJoinAt) {
  auto unsettled = delivered(3);
  unsettled.ack(1, false);
  unsettled.ack(2, false);
  EXPECT_TRUE(unsettled.reject(3));
  EXPECT_FALSE(unsettled.reject(3));
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{2, true}));
  EXPECT_TRUE(unsettled.empty());
}

TEST(Unsettled, ARejectedOneInBetweenIsNotAcknowledgedToo) {
  auto unsettled = delivered(3);
  EXPECT_TRUE(unsettled.reject(2));
  unsettled.ack(3, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{3, false}));
  unsettled.ack(1, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{1, false}));
}

TEST(Unsettled, ManyAtOnceAsTheGatewayDoes) {
  auto unsettled = delivered(5);
  unsettled.ack(3, true);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{3, true}));
  unsettled.ack(3, true);  // again
  unsettled.ack(9, true);  // more than there are
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{5, true}));
}

TEST(Unsettled, OneThatStaysOpenForEverMakesNothingGrow) {
  Unsettled unsettled;
  unsettled.delivered(1);
  for (std::uint64_t tag = 2; tag < 100'000; ++tag) {
    unsettled.delivered(tag);
    unsettled.ack(tag, false);
    ASSERT_THAT(unsettled.take(), ElementsAre(Ack{tag, false}));
    ASSERT_LE(unsettled.size(), 200U);
  }
  unsettled.delivered(100'000);
  unsettled.ack(1, false);
  unsettled.ack(100'000, false);
  EXPECT_THAT(unsettled.take(), ElementsAre(Ack{100'000, true}));
  EXPECT_TRUE(unsettled.empty());
}

TEST(Unsettled, RubbishIsIgnored) {
  auto unsettled = delivered(1);
  unsettled.ack(0, false);
  unsettled.ack(7, false);
  EXPECT_FALSE(unsettled.reject(7));
  unsettled.delivered(1);
  EXPECT_THAT(unsettled.take(), IsEmpty());
  unsettled.reset();
  EXPECT_TRUE(unsettled.empty());
  unsettled.ack(1, false);
  EXPECT_THAT(unsettled.take(), IsEmpty());
}

/// Compared with a model of the broker: each delivery is settled once and as intended, and no other one.
TEST(Unsettled, AgainstABroker) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Unsettled unsettled;
    std::set<std::uint64_t> at_broker, open, acked;
    std::uint64_t last = 0;
    for (int step = 0; step < 1000; ++step) {
      const auto pick = [&] { return *std::next(open.begin(), static_cast<std::ptrdiff_t>(random() % open.size())); };
      switch (random() % 4) {
        case 0:
          unsettled.delivered(++last);
          at_broker.insert(last);
          open.insert(last);
          break;
        case 1:
          if (open.empty()) break;
          if (const auto tag = pick(); true) {
            unsettled.ack(tag, false);
            open.erase(tag);
            acked.insert(tag);
          }
          break;
        case 2:
          if (open.empty()) break;
          if (const auto tag = pick(); true) {
            ASSERT_TRUE(unsettled.reject(tag));
            open.erase(tag);
            ASSERT_EQ(at_broker.erase(tag), 1u);
          }
          break;
        default:
          for (const Ack& ack : unsettled.take()) {
            ASSERT_TRUE(at_broker.contains(ack.tag)) << "unknown delivery tag: the broker would close the channel";
            const auto first = ack.multiple ? at_broker.begin() : at_broker.find(ack.tag);
            for (auto at = first; at != at_broker.end() && *at <= ack.tag; at = at_broker.erase(at))
              ASSERT_EQ(acked.erase(*at), 1u) << "it was not settled:  " << *at;
          }
          ASSERT_TRUE(acked.empty());
          ASSERT_EQ(unsettled.empty(), open.empty());
      }
    }
  }
}

}  // namespace
}  // namespace nuropb::mesh
