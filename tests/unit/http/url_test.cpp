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
  EXPECT_EQ(url->target, "/rabbit/");
  EXPECT_EQ(url->redacted(), "https://ann:***@broker.example.com:15671/rabbit/");
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
        "http://ann:secret@[::1", "http://ann:secret@[::1]x", "http://ann:secret@h/a b", "http://ann:secret@h/%zz",
        "http://ann:secret@h h", "http://a%3Ab:secret@h", "ann:secret@h", "http://ann:sec/secret@h"}) {
    const auto url = parse_url(wrong);
    ASSERT_FALSE(url) << wrong;
    EXPECT_EQ(url.error().text().find("sec"), std::string::npos) << url.error().text();
  }
}

/// RFC 3986, section 3: paths and queries are sent as they are written.
TEST(HttpUrl, PathAndQueryByteForByte) {
  const std::pair<const char*, const char*> rows[] = {
      {"https://tenant.b2clogin.com/tenant/discovery/v2.0/keys?p=B2C_1_Sign-In",
       "/tenant/discovery/v2.0/keys?p=B2C_1_Sign-In"},
      {"https://h/keys?p=a%2Fb&q=c+d;e=$1!*'()@:/?", "/keys?p=a%2Fb&q=c+d;e=$1!*'()@:/?"},
      {"https://h/realms/a@b:c/(x)=y;v=1,2", "/realms/a@b:c/(x)=y;v=1,2"},
      {"https://h/a%2fb/../c//d/", "/a%2fb/../c//d/"},
      {"https://h?p=1", "/?p=1"},
      {"https://h/?", "/?"},
      {"https://h", "/"},
      {"https://h/keys#part", "/keys"},
      {"https://h#part", "/"},
      {"https://h/keys?x#part?y", "/keys?x"},
      {"https://h?x=http://other/y", "/?x=http://other/y"},
  };
  for (const auto& [text, target] : rows) {
    const auto url = parse_url(text);
    ASSERT_TRUE(url) << text << ": " << url.error().text();
    EXPECT_EQ(url->request_target(""), target) << text;
    EXPECT_EQ(url->host, std::string_view(text).find("b2c") != std::string_view::npos ? "tenant.b2clogin.com" : "h");
  }
  for (const char* wrong : {"http://h/a b", "http://h/a|b", "http://h/{a}", "http://h/\xc3\xb6", "http://h/%",
                            "http://h/%4", "http://h/?a=%g0", "http://h/?a b", "http://h/?\"", "http://h\\a"})
    EXPECT_FALSE(parse_url(wrong)) << wrong;
}

TEST(HttpUrl, SchemesKnowNoCase) {
  EXPECT_TRUE(parse_url("HTTPS://h/")->tls);
  EXPECT_FALSE(parse_url("Http://h/")->tls);
  EXPECT_EQ(parse_url("hTTpS://h/")->port, 443);
  EXPECT_FALSE(parse_url("httpx://h/"));
  EXPECT_FALSE(parse_url("http:/h/"));
}

TEST(HttpUrl, ABaseHasNoQuery) {
  const auto url = parse_base_url("http://h:15672/rabbit/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->request_target("/api/vhosts"), "/rabbit/api/vhosts");
  EXPECT_FALSE(parse_base_url("http://h/?x"));
  EXPECT_FALSE(parse_base_url("http://ann:12/secret@h")) << "the host is not 'ann'";
  EXPECT_EQ(parse_base_url("http://ann:12/secret@h").error().text().find("secret"), std::string::npos);
}

TEST(HttpUrl, AQueryMayHoldAKeyAndIsNotShown) {
  EXPECT_EQ(parse_url("https://h/keys?code=secret")->redacted(), "https://h:443/keys?***");
  EXPECT_EQ(parse_url("https://h?code=secret")->redacted(), "https://h:443/?***");
  EXPECT_EQ(parse_url("https://h/keys?code=secret|").error().where, "https://h/keys?***");
}

TEST(HttpUrl, PercentEncode) {
  EXPECT_EQ(percent_encode("/"), "%2F");
  EXPECT_EQ(percent_encode("a-Z_0.~"), "a-Z_0.~");
  EXPECT_EQ(percent_encode("mesh one\xff"), "mesh%20one%FF");
}

}  // namespace
}  // namespace nuropb::http
