#include "common/authority.hpp"

#include <gtest/gtest.h>

namespace nuropb {
namespace {

TEST(Authority, Parts) {
  const auto all = parse_authority("us%65r:p%40s:s@host.example:5999");
  ASSERT_TRUE(all) << all.error();
  EXPECT_EQ(all->user, "user");
  EXPECT_EQ(all->password, "p@s:s");
  EXPECT_EQ(all->host, "host.example");
  EXPECT_EQ(all->port, 5999);
  const auto least = parse_authority("h");
  ASSERT_TRUE(least);
  EXPECT_FALSE(least->user || least->port);
  const auto ipv6 = parse_authority("u@[::1]:1");
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(ipv6->user, "u");
  EXPECT_EQ(ipv6->password, "");
  EXPECT_EQ(ipv6->host, "::1");
  EXPECT_EQ(ipv6->port, 1);
  EXPECT_FALSE(parse_authority("[::1]")->port);
  EXPECT_EQ(parse_authority("@h")->user, "");
}

TEST(Authority, Mistakes) {
  for (const char* text :
       {"",   "@",      ":1",     "u:p@", "h:",  "h:0",    "h:65536", "h:x",    "h:1x",    "h:-1", "[::1",
        "[]", "[::1]x", "[::1]:", "h h",  "h\\", "u%zz@h", "u:%0@h",  "u%00@h", "u:%00@h", "a:b:c"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(Authority, Written) {
  EXPECT_EQ(host_and_port("h", 1), "h:1");
  EXPECT_EQ(host_and_port("::1", 65535), "[::1]:65535");
}

TEST(Authority, NothingOfALoginIsShown) {
  EXPECT_EQ(without_login("amqp://ann:secret@h/v"), "amqp://***@h/v");
  EXPECT_EQ(without_login("amqp://ann:sec/ret@h"), "amqp://***@h");
  EXPECT_EQ(without_login("ann:secret@h"), "***@h");
  EXPECT_EQ(without_login("amqp://ann:s@cret@h"), "amqp://***@h");
  EXPECT_EQ(without_login("amqp://h/v"), "amqp://h/v");
}

}  // namespace
}  // namespace nuropb
