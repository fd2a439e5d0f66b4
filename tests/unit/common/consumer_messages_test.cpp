#include "common/consumer_messages.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(EventTarget, NoTargetIsEverybody) {
  for (const char* everybody : {"", "null"}) EXPECT_TRUE(EventTarget(everybody).includes("ann")) << everybody;
}

TEST(EventTarget, AListIsTheUsersInIt) {
  const EventTarget target(R"(["cid", "ann", 7, null, ["dan"], "b\u0041", "ann"])");
  for (const char* user : {"ann", "bA", "cid"}) EXPECT_TRUE(target.includes(user)) << user;
  for (const char* other : {"", "an", "annn", "dan", "7", "null"}) EXPECT_FALSE(target.includes(other)) << other;
  EXPECT_FALSE(EventTarget("[]").includes("ann"));
}

TEST(EventTarget, WhatItNamesIsCounted) {
  EXPECT_EQ(EventTarget::most_users("null"), 1U);
  EXPECT_EQ(EventTarget::most_users(R"(["a","b","c"])"), 3U);
  EXPECT_EQ(EventTarget::most_users(R"(["a,b,\",\"","b"])"), 2U) << "commas in a name";
  EXPECT_GE(EventTarget::most_users(R"([["a","b"],"c"])"), 1U);
}

}  // namespace
}  // namespace nuropb
