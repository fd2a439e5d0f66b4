#include "meshd/amqp/url.hpp"

#include <gtest/gtest.h>

namespace nuropb::amqp {
namespace {

TEST(Url, WholeAndInPart) {
  const auto whole = parse_url("amqps://us%65r:p%40ss@host.example:5999/a%2Fb");
  ASSERT_TRUE(whole) << whole.error().text();
  EXPECT_TRUE(whole->tls);
  EXPECT_EQ(whole->user, "user");
  EXPECT_EQ(whole->password, "p@ss");
  EXPECT_EQ(whole->host, "host.example");
  EXPECT_EQ(whole->port, 5999);
  EXPECT_EQ(whole->vhost, "a/b");
  const auto least = parse_url("amqp://h");
  ASSERT_TRUE(least);
  EXPECT_EQ(least->port, 5672);
  EXPECT_EQ(least->user, "guest");
  EXPECT_EQ(least->vhost, "/");
  EXPECT_EQ(parse_url("amqps://h")->port, 5671);
  EXPECT_EQ(parse_url("amqp://h/")->vhost, "/");
  EXPECT_EQ(parse_url("amqp://h/v")->vhost, "v");
  EXPECT_EQ(parse_url("amqp://[::1]:1/")->host, "::1");
  EXPECT_EQ(parse_url("amqp://u@h/")->password, "");
  EXPECT_TRUE(parse_url("AMQPS://h")->tls) << "schemes know no case (RFC 3986, section 3.1)";
  EXPECT_FALSE(parse_url("Amqp://h")->tls);
}

TEST(Url, MistakesAreNamedWithoutThePassword) {
  for (const char* text :
       {"http://u:hunter2@h/", "amqp://", "amqp://u:hunter2@/", "amqp://u:hunter2@h:0/", "amqp://u:hunter2@h:70000/",
        "amqp://u:hunter2@h:x/", "amqp://u:hunter2@h:/", "amqp://u:hunter2%zz@h/", "amqp://u:hunter2@h/a/b",
        "amqp://u:hunter2@[::1", "amqp://u:hunter2@[::1]x", "amqp://u:hunter2@h/v?heartbeat=1",
        "amqp://u:hunter2@h/%00", "u:hunter2@h", "amqp://u:hun/ter2@h/"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().text().find("ter2"), std::string::npos) << url.error().text();
  }
}

TEST(Url, RedactedIsAUrlWithoutThePassword) {
  EXPECT_EQ(parse_url("amqps://u:secret@h/v")->redacted(), "amqps://u:***@h:5671/v");
  EXPECT_EQ(parse_url("amqp://[::1]/a%2Fb")->redacted(), "amqp://guest:***@[::1]:5672/a%2Fb");
}

}  // namespace
}  // namespace nuropb::amqp
