#include "edge/token_source.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(TokenSource, HeadersAsNuropbGwTakesThem) {
  for (const char* header : {"Bearer x.y", "Bearer: x.y", "Bearer :x.y", "Bearerx.y", "x.y", "  Bearer   x.y  "}) EXPECT_EQ(strip_bearer(header), "x.y") << header;
  EXPECT_EQ(strip_bearer("Bearer"), "");
  EXPECT_EQ(strip_bearer(""), "");
}

TEST(TokenSource, Cookies) {
  EXPECT_EQ(cookie_value("a=1; Authorization=tok; b=2", "Authorization"), "tok");
  EXPECT_EQ(cookie_value("Authorization=\"Bearer tok\"", "Authorization"), "Bearer tok");
  EXPECT_EQ(cookie_value("Authorization=a=b", "Authorization"), "a=b");
  EXPECT_EQ(cookie_value("xAuthorization=no;Authorization=", "Authorization"), "");
  EXPECT_FALSE(cookie_value("AuthorizationX=1", "Authorization"));
  EXPECT_FALSE(cookie_value("", "Authorization"));
  EXPECT_FALSE(cookie_value(";;;=;", "Authorization"));
}

TEST(TokenSource, TheHeaderComesBeforeTheCookie) {
  const auto header = find_token("Bearer h", "Authorization=c", "Authorization");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->token, "h");
  EXPECT_EQ(header->kind, records::CredentialKind::header);
  const auto cookie = find_token("", "Authorization=Bearer c", "Authorization");
  ASSERT_TRUE(cookie);
  EXPECT_EQ(cookie->token, "c");
  EXPECT_EQ(cookie->kind, records::CredentialKind::cookie);
}

TEST(TokenSource, NoTokenIsNone) {
  EXPECT_FALSE(find_token("", "", "Authorization"));
  EXPECT_FALSE(find_token("Bearer ", "Authorization=", "Authorization"));
  EXPECT_FALSE(find_token("", "Authorization=c", "")) << "cookies are switched off";
  EXPECT_FALSE(find_token(std::string(records::max_credential + 1, 'x'), "", "Authorization")) << "longer than a record holds";
}

}  // namespace
}  // namespace nuropb::edge
