#include "edge/sessions/memory_budget.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace nuropb::edge {
namespace {

constexpr std::size_t kib = 1024, mib = 1024 * kib;

struct MemoryBudgetTest : testing::Test {
  struct Socket final : MemoryBudget::Holder {
    explicit Socket(std::string user) : name(std::move(user)) {}
    [[nodiscard]] std::string_view owner() const override { return name; }
    void give_way(MemoryBudget::What most) override { closed = most; }
    void give_up_message() override {}
    std::string name;
    std::optional<MemoryBudget::What> closed;
  };
  Socket& socket(const std::string& user) {
    sockets.push_back(std::make_unique<Socket>(user));
    return *sockets.back();
  }
  std::size_t shared = 0;
  std::vector<std::unique_ptr<Socket>> sockets;
  MemoryBudget budget{8 * mib, [this] { return shared; }};
};

TEST_F(MemoryBudgetTest, TheLargestOfTheUserWhoHasMostGivesWay) {
  Socket& honest = socket("ann");
  EXPECT_FALSE(budget.set(honest, MemoryBudget::What::incoming, {3 * mib, 0}));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(budget.set(socket("bob"), MemoryBudget::What::incoming, {900 * kib, 0}));
  Socket& last = socket("bob");
  EXPECT_TRUE(budget.set(last, MemoryBudget::What::incoming, {1000 * kib, 0}));
  EXPECT_EQ(budget.relieve(), 2u) << "until an eighth of the limit is free";
  EXPECT_EQ(last.closed, MemoryBudget::What::incoming);
  EXPECT_FALSE(honest.closed) << "it has the largest message, and its user less than the other one";
  EXPECT_LE(budget.bytes(), 7 * mib);
  EXPECT_EQ(budget.relieve(), 0u);
}

TEST_F(MemoryBudgetTest, WhatWaitsToBeReadAndWhatArrivesCountTogether) {
  Socket& slow = socket("bob");
  EXPECT_FALSE(budget.set(slow, MemoryBudget::What::incoming, {1 * mib, 0}));
  EXPECT_TRUE(budget.set(slow, MemoryBudget::What::outgoing, {8 * mib, 0}));
  EXPECT_EQ(budget.relieve(), 1u);
  EXPECT_EQ(slow.closed, MemoryBudget::What::outgoing);
  EXPECT_EQ(budget.bytes(), 0u);
  EXPECT_EQ(budget.holders(), 0u);
}

TEST_F(MemoryBudgetTest, AFrameThatManyWaitForIsInMemoryOnce) {
  shared = 2 * mib;
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(budget.set(socket("u" + std::to_string(i)), MemoryBudget::What::outgoing, {0, 2 * mib}));
  EXPECT_EQ(budget.relieve(), 0u);
  shared = 9 * mib;
  Socket& slowest = socket("slowest");
  EXPECT_TRUE(budget.set(slowest, MemoryBudget::What::outgoing, {0, 9 * mib}));
  EXPECT_EQ(budget.relieve(), 1u) << "its frames go with it, though not at once";
  EXPECT_TRUE(slowest.closed);
}

TEST_F(MemoryBudgetTest, ALittleIsNotCounted) {
  Socket& one = socket("ann");
  EXPECT_FALSE(budget.set(one, MemoryBudget::What::outgoing, {MemoryBudget::least - 1, 0}));
  EXPECT_EQ(budget.holders(), 0u);
  EXPECT_FALSE(budget.set(one, MemoryBudget::What::outgoing, {MemoryBudget::least, 0}));
  EXPECT_EQ(budget.bytes(), MemoryBudget::least);
  budget.forget(one);
  EXPECT_EQ(budget.bytes(), 0u);
  EXPECT_EQ(budget.holders(), 0u);
}

TEST_F(MemoryBudgetTest, MessagesThatHaveBegunAreKnownByTheirTime) {
  const SteadyTime start = SteadyTime() + std::chrono::hours(1);
  Socket &first = socket("a"), &second = socket("b");
  budget.begin(first, start);
  budget.begin(second, start + milliseconds(10));
  budget.begin(first, start + milliseconds(500));  // the same message continues
  EXPECT_EQ(budget.begun_before(start + milliseconds(1)), std::vector<MemoryBudget::Holder*>{&first});
  EXPECT_EQ(budget.begun_before(start + milliseconds(11)).size(), 2u);
  budget.complete(first);
  EXPECT_EQ(budget.begun_before(start + milliseconds(11)), std::vector<MemoryBudget::Holder*>{&second});
  budget.forget(second);
  EXPECT_EQ(budget.holders(), 0u);
}

}  // namespace
}  // namespace nuropb::edge
