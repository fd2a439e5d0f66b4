#include "meshd/stored_identity.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

TEST(StoredIdentity, ComesBackAsItWas) {
  const Identity all{
      "ann", "Ann \"A\" \xc3\xa4", std::string(5000, 't'), {"clerk", "", "a role"}, R"({"a":1})", 1234567890123, "jwt"};
  const Identity none;
  for (const Identity& identity : {all, none}) {
    const StoredIdentity stored(identity);
    EXPECT_EQ(stored.user_id(), identity.user_id);
    EXPECT_EQ(stored.username(), identity.username);
    EXPECT_EQ(stored.token(), identity.token);
    EXPECT_EQ(stored.claims(), identity.claims);
    EXPECT_EQ(stored.expires(), identity.expires);
    const Identity back = stored.unpack();
    EXPECT_EQ(back.user_id, identity.user_id);
    EXPECT_EQ(back.username, identity.username);
    EXPECT_EQ(back.token, identity.token);
    EXPECT_EQ(back.roles, identity.roles);
    EXPECT_EQ(back.claims, identity.claims);
    EXPECT_EQ(back.expires, identity.expires);
    EXPECT_EQ(back.authorizer, identity.authorizer);
  }
}

TEST(StoredIdentity, OfNobodyIsEmpty) {
  const StoredIdentity nobody;
  EXPECT_TRUE(nobody.user_id().empty() && nobody.token().empty());
  EXPECT_TRUE(nobody.unpack().roles.empty());
  StoredIdentity moved{Identity{"ann", {}, {}}};
  const StoredIdentity to = std::move(moved);
  EXPECT_EQ(to.user_id(), "ann");
}

}  // namespace
}  // namespace nuropb::meshd
