#include "meshd/http/url.hpp"

#include <gtest/gtest.h>

#include "common/percent.hpp"

namespace nuropb::http {
namespace {

TEST(HttpUrl, Parts) {
  const auto url = parse_url("https://ann:p%40ss:word@broker.example.com:15671/rabbit/");
  ASSERT_TRUE(url) << url.error().text();
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "broker.example.com");
  EXPECT_EQ(url->port, 15671);
  EXPECT_EQ(url->user, "ann");
  EXPECT_EQ(url->password, "p@ss:word");
  EXPECT_EQ(url->base, "/rabbit");
  EXPECT_EQ(url->redacted(), "https://ann:***@broker.example.com:15671/rabbit");
}

TEST(HttpUrl, Defaults) {
  EXPECT_EQ(parse_url("http://h")->port, 80);
  EXPECT_EQ(parse_url("https://h/")->port, 443);
  EXPECT_EQ(parse_url("http://h")->base, "");
  EXPECT_EQ(parse_url("http://[::1]:2379")->authority(), "[::1]:2379");
  EXPECT_EQ(parse_url("http://h:1")->redacted(), "http://h:1");
}

TEST(HttpUrl, MistakesAreToldWithoutThePassword) {
  for (const char* wrong :
       {"", "ftp://ann:secret@h", "http://ann:secret@", "http://ann:secret@h:0", "http://ann:secret@h:65536",
        "http://ann:secret@h:x", "http://ann:secret@h:", "http://ann:sec%ret@h", "http://:secret@h",
        "http://ann:secret@[::1", "http://ann:secret@[::1]x", "http://ann:secret@h/a b", "http://ann:secret@h?x",
        "http://ann:secret@h h", "http://a%3Ab:secret@h", "ann:secret@h", "http://ann:sec/secret@h"}) {
    const auto url = parse_url(wrong);
    ASSERT_FALSE(url) << wrong;
    EXPECT_EQ(url.error().text().find("sec"), std::string::npos) << url.error().text();
  }
}

TEST(HttpUrl, PercentEncode) {
  EXPECT_EQ(percent_encode("/"), "%2F");
  EXPECT_EQ(percent_encode("a-Z_0.~"), "a-Z_0.~");
  EXPECT_EQ(percent_encode("mesh one\xff"), "mesh%20one%FF");
}

}  // namespace
}  // namespace nuropb::http
