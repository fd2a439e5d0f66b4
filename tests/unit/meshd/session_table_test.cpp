#include "meshd/session_table.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

TEST(SessionTable, KeepsSuccessiveSessionsOfASlotApart) {
  SessionTable table(10);
  Session* first = table.find(3);
  ASSERT_NE(first, nullptr);
  first->state = SessionState::open;
  first->serial = 1;
  table.opened();
  EXPECT_EQ(table.find(3, 1), first);
  EXPECT_EQ(table.find(3, 2), nullptr);
  table.close(*first);
  EXPECT_EQ(table.open(), 0u);
  EXPECT_EQ(table.find(3, 1), nullptr) << "closed";
}

TEST(SessionTable, HasABound) {
  SessionTable table(2);
  EXPECT_NE(table.find(1), nullptr);
  EXPECT_EQ(table.find(2), nullptr);
  EXPECT_EQ(table.find(0xffffffff), nullptr);
  EXPECT_EQ(table.find(0xffffffff, 1), nullptr);
}

}  // namespace
}  // namespace nuropb::meshd
