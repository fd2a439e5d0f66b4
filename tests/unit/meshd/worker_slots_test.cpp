#include "meshd/workers/worker_slots.hpp"

#include <gtest/gtest.h>

#include "common/ids.hpp"

namespace nuropb::meshd {
namespace {

TEST(WorkerSlots, GivesTheLowestFreeSlotAndNeverAGenerationTwice) {
  WorkerSlots slots(3, 1'000'000);
  const auto a = slots.claim(), b = slots.claim(), c = slots.claim();
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a->slot, 0u);
  EXPECT_EQ(b->slot, 1u);
  EXPECT_EQ(c->slot, 2u);
  EXPECT_FALSE(slots.claim()) << "all taken";
  slots.release(*b);
  const auto again = slots.claim();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->slot, 1u);
  EXPECT_NE(again->generation, b->generation);
}

TEST(WorkerSlots, ALaterMeshdStartsAboveWhatAnEarlierOneGave) {
  WorkerSlots earlier(8, 1'000'000);
  const auto before = earlier.claim();
  WorkerSlots later(8, 1'000'000 + 60'000);
  const auto after = later.claim();
  ASSERT_TRUE(before && after);
  EXPECT_GT(after->generation, before->generation);
}

TEST(WorkerSlots, GenerationsStayWithinTheirBits) {
  WorkerSlots slots(2, 100ULL * ReturnAddress::max_generation);
  const auto a = slots.claim(), b = slots.claim();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->generation, ReturnAddress::max_generation);
  EXPECT_EQ(b->generation, 0u);
}

TEST(WorkerSlots, ASurvivorTakesItsPlaceOverEvenIfANewcomerHasTheSlot) {
  WorkerSlots slots(4, 5'000'000);
  const auto newcomer = slots.claim();
  ASSERT_TRUE(newcomer);
  const WorkerId survivor{newcomer->slot, newcomer->generation - 9};
  EXPECT_EQ(slots.reclaim(survivor), survivor);
  EXPECT_FALSE(slots.reclaim(survivor)) << "the same place twice: a ticket was copied";
  EXPECT_EQ(slots.taken(), 2u);
}

TEST(WorkerSlots, NobodyGetsAPlaceBackFromTheMeshdThatItLeft) {
  WorkerSlots slots(4, 5'000'000);
  const auto mine = slots.claim();
  const WorkerId survivor{2, mine->generation - 9};
  ASSERT_TRUE(slots.reclaim(survivor));
  for (const WorkerId& id : {*mine, survivor}) {
    slots.release(id);
    EXPECT_FALSE(slots.reclaim(id))
        << "reports on its former requests would settle later ones (tests/model/recovery.pml, SAME_ADDRESS)";
  }
}

TEST(WorkerSlots, ReclaimKeepsToTheBound) {
  WorkerSlots slots(1, 5'000'000);
  ASSERT_TRUE(slots.claim());
  EXPECT_FALSE(slots.reclaim({0, 1}));
}

}  // namespace
}  // namespace nuropb::meshd
