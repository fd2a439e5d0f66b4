#include "meshd/auth/claims.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;

TEST(Claims, BecomeAnIdentity) {
  const json claims{{"sub", "ann"}, {"name", "Ann"}, {"roles", {"a", "b"}}, {"tenant", "acme"}};
  const auto identity = identity_of(claims, {"sub", "name", "roles", {"tenant", "missing"}});
  ASSERT_TRUE(identity) << identity.error().text();
  EXPECT_EQ(identity->user_id, "ann");
  EXPECT_EQ(identity->username, "Ann");
  EXPECT_EQ(identity->roles, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(identity->claims, R"({"tenant":"acme"})");
  EXPECT_EQ(json::parse(identity_of(claims, {})->claims), claims) << "no names: all";
}

TEST(Claims, DotsLeadIntoObjectsUnlessAMemberHasThemWhole) {
  const json claims{{"sub", 7}, {"realm_access", {{"roles", "x  y "}}}, {"https://a.b/name", "Ann"}};
  const auto identity = identity_of(claims, {"sub", "https://a.b/name", "realm_access.roles", {}});
  ASSERT_TRUE(identity) << identity.error().text();
  EXPECT_EQ(identity->user_id, "7");
  EXPECT_EQ(identity->username, "Ann");
  EXPECT_EQ(identity->roles, (std::vector<std::string>{"x", "y"}));
}

TEST(Claims, SayWhatIsWrongButNotTheValue) {
  const std::pair<json, const char*> mistakes[] = {
      {json::array(), "not an object"},
      {json{{"name", "x"}}, "missing"},
      {json{{"sub", ""}}, "empty"},
      {json{{"sub", nullptr}}, "not a text"},
      {json{{"sub", true}}, "not a text"},
      {json{{"sub", std::string(1025, 'x')}}, "longer"},
      {json{{"sub", "s3cret"}, {"name", json::array()}}, "'name'"},
      {json{{"sub", "s3cret"}, {"roles", 1}}, "'roles'"},
      {json{{"sub", "s3cret"}, {"roles", {1}}}, "'roles'"},
      {json{{"sub", "s3cret"}, {"big", std::string(8 * 1024, 'x')}}, "8 KiB"},
  };
  for (const auto& [claims, part] : mistakes) {
    const auto identity = identity_of(claims, {});
    ASSERT_FALSE(identity) << part;
    EXPECT_NE(identity.error().text().find(part), std::string::npos) << identity.error().text();
    EXPECT_EQ(identity.error().text().find("s3cret"), std::string::npos);
  }
}

TEST(Claims, Times) {
  EXPECT_EQ(numeric_date(json(12)), 12);
  EXPECT_EQ(numeric_date(json(12.9)), 12);
  for (const char* text : {"\"12\"", "null", "true", "[]", "{}"}) EXPECT_FALSE(numeric_date(json::parse(text))) << text;
}

/// RFC 7519 allows any number. One that is too large to calculate with is a time far in the past or future.
TEST(Claims, TimesThatAreFarAway) {
  const std::pair<const char*, std::int64_t> rows[] = {
      {"9223372036854775", far_future},      // Java's Long.MAX_VALUE in milliseconds, as seconds
      {"9223372036854775807", far_future},   // Long.MAX_VALUE itself
      {"18446744073709551615", far_future},  // that of an unsigned number
      {"99999999999999999999", far_future},  // more than any integer
      {"1e30", far_future},
      {"1.7976931348623157e308", far_future},
      {"-1", -1},
      {"-1.5", -2},
      {"-1e30", far_past},
      {"-9223372036854775808", far_past},
      {"-99999999999999999999", far_past},
      {"0", 0},
      {"-0.0", 0},
      {"1800000000.999", 1800000000},
      {"1.8e9", 1800000000},
      {"4503599627370496", far_future},  // the bound itself, and one before it
      {"4503599627370495", far_future - 1},
      {"1796169600000", 1796169600000},  // milliseconds taken for seconds: the year 58887
  };
  for (const auto& [text, at] : rows) EXPECT_EQ(numeric_date(json::parse(text)), at) << text;
  EXPECT_GT(far_future + 86'400LL * 365, far_future) << "durations can be added";
}

}  // namespace
}  // namespace nuropb::meshd
