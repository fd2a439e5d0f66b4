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
  for (const char* text : {"-1", "1e300", "\"12\"", "null", "true"})
    EXPECT_FALSE(numeric_date(json::parse(text))) << text;
}

}  // namespace
}  // namespace nuropb::meshd
