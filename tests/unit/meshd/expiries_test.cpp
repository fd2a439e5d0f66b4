#include "meshd/expiries.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

const Expiries::Key one{{1, 2}, 3, 4}, other{{1, 2}, 3, 5};

TEST(Expiries, WarnsThenEnds) {
  Expiries expiries;
  expiries.set(one, 90, 100);
  EXPECT_TRUE(expiries.due(89).empty());
  auto due = expiries.due(90);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].key, one);
  EXPECT_FALSE(due[0].over);
  EXPECT_TRUE(expiries.due(99).empty()) << "warned once";
  due = expiries.due(100);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(due[0].over);
  EXPECT_EQ(expiries.size(), 0u);
}

TEST(Expiries, AClockThatJumpsEndsWithoutAWarning) {
  Expiries expiries;
  expiries.set(one, 90, 100);
  const auto due = expiries.due(500);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(due[0].over);
}

TEST(Expiries, WithoutAWarningThereIsOnlyTheEnd) {
  Expiries expiries;
  expiries.set(one, 0, 100);
  EXPECT_TRUE(expiries.due(99).empty());
  EXPECT_TRUE(expiries.due(100)[0].over);
}

TEST(Expiries, AFreshTokenMovesTheEndAndAClosedSessionHasNone) {
  Expiries expiries;
  expiries.set(one, 90, 100);
  expiries.set(other, 90, 100);
  expiries.set(one, 190, 200);
  EXPECT_EQ(expiries.size(), 2u);
  expiries.remove(other);
  expiries.remove(other);
  EXPECT_TRUE(expiries.due(150).empty());
  EXPECT_EQ(expiries.due(190).size(), 1u);
}

}  // namespace
}  // namespace nuropb::meshd
