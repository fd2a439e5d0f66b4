#include "edge/protocol/token_source.hpp"

#include <gtest/gtest.h>

namespace nuropb::edge {
namespace {

TEST(TokenSource, HeadersAsNuropbGwTakesThem) {
  for (const char* header : {"Bearer x.y", "Bearer: x.y", "Bearer :x.y", "Bearerx.y", "x.y", "  Bearer   x.y  "})
    EXPECT_EQ(strip_bearer(header), "x.y") << header;
  // RFC 9110, section 11.1: the scheme is case-insensitive.
  for (const char* header : {"bearer x.y", "BEARER x.y", "bEaReR    x.y", "bearer: x.y", "bearer :x.y", "bearer\tx.y"})
    EXPECT_EQ(strip_bearer(header), "x.y") << header;
  EXPECT_EQ(strip_bearer("bearerish.token"), "bearerish.token") << "a bare token that begins so";
  EXPECT_EQ(strip_bearer("BEARER"), "");
  EXPECT_EQ(strip_bearer("bear x"), "bear x");
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

const TokenNames all{"Authorization", "session", "access_token", true};

TEST(TokenSource, WhatWasGivenOnPurposeComesBeforeWhatABrowserSendsByItself) {
  using records::CredentialKind;
  TokenTexts texts{"GET", "Bearer h", "session=s; Authorization=Bearer c", "nuropb, bearer.p", "access_token=q"};
  const auto expect = [&](CredentialKind kind, const char* token) {
    const auto found = find_token(texts, all);
    ASSERT_TRUE(found) << token;
    EXPECT_EQ(found->token, token);
    EXPECT_EQ(found->kind, kind) << token;
  };
  expect(CredentialKind::header, "h");
  texts.authorization = "";
  expect(CredentialKind::subprotocol, "p");
  texts.protocols = "nuropb";
  expect(CredentialKind::query, "q");
  texts.query = "";
  expect(CredentialKind::cookie, "c");
  texts.cookies = "session=s";
  expect(CredentialKind::session_cookie, "s");
  texts.method = "POST";
  EXPECT_FALSE(find_token(texts, all)) << "cookies count for GET only";
}

TEST(TokenSource, WhatIsSwitchedOffDoesNotCount) {
  EXPECT_FALSE(find_token({"GET", "", "session=s; Authorization=c", "nuropb, bearer.p", "access_token=q"}, {}));
}

TEST(TokenSource, NoTokenIsNone) {
  EXPECT_FALSE(find_token({"GET", "", "", "", ""}, all));
  EXPECT_FALSE(find_token({"GET", "Bearer ", "Authorization=; session=", "bearer.", "access_token="}, all));
  const std::string long_one(records::max_credential + 1, 'x');
  EXPECT_FALSE(find_token({"GET", long_one, "", "", ""}, all)) << "longer than a record holds";
}

TEST(TokenSource, Subprotocols) {
  EXPECT_EQ(token_of_protocols("nuropb, bearer.a.b-c_d"), "a.b-c_d");
  EXPECT_EQ(token_of_protocols("bearer.x,nuropb"), "x");
  EXPECT_EQ(token_of_protocols("nuropb,base64url.bearer.authorization.nuropb.YS9iPT0"), "a/b==");
  EXPECT_FALSE(token_of_protocols("nuropb,base64url.bearer.authorization.nuropb.YS9iPT0="));
  EXPECT_FALSE(token_of_protocols("nuropb,base64url.bearer.authorization.nuropb.!"));
  EXPECT_FALSE(token_of_protocols("nuropb,bearer,Bearer.x"));
  EXPECT_FALSE(token_of_protocols(""));
  EXPECT_TRUE(offers_protocol("bearer.x , nuropb", "nuropb"));
  EXPECT_FALSE(offers_protocol("nuropb.v2,xnuropb", "nuropb"));
}

TEST(TokenSource, QueryParameters) {
  EXPECT_EQ(query_value("a=1&access_token=x%2By&b", "access_token"), "x+y");
  EXPECT_EQ(query_value("access_token=a+b", "access_token"), "a+b");
  EXPECT_FALSE(query_value("xaccess_token=1&access_token", "access_token"));
  EXPECT_FALSE(query_value("access_token=%zz", "access_token"));
  EXPECT_FALSE(query_value("", "access_token"));
}

}  // namespace
}  // namespace nuropb::edge
