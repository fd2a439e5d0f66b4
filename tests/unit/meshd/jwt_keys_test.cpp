#include "meshd/auth/jwt_keys.hpp"

#include <gtest/gtest.h>

#include "tests/unit/meshd/jwt_vectors.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;

std::string set_of(const json& key, int times = 1) {
  json keys = json::array();
  for (int i = 0; i < times; ++i) keys.push_back(key);
  return json{{"keys", keys}}.dump();
}

TEST(JwtKeys, PemOfEveryKind) {
  std::string all;
  for (const auto& [name, pem] : jwt_vectors()["pem"].items()) all += "a remark\n" + pem.get<std::string>();
  const auto keys = JwtKeys::from_pem(all, "keys.pem");
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_EQ(keys->size(), 6u);
  for (const auto& one : jwt_vectors()["tokens"]) {
    if (one["key"] == "secret") continue;
    const std::string token = one["token"], algorithm = one["alg"];
    EXPECT_FALSE(keys->candidates(algorithm, "any").empty()) << algorithm << ": PEM has no names, so any may be meant";
  }
}

TEST(JwtKeys, SecretsOneALine) {
  const std::string secret = jwt_vectors()["secret"];
  const auto keys = JwtKeys::from_secrets(std::string(32, 'x') + "\r\n\n" + secret + "\n", "secret.txt");
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_EQ(keys->size(), 2u);
  EXPECT_TRUE(keys->candidates("RS256", "").empty());
  EXPECT_EQ(keys->candidates("HS384", "").size(), 2u);
}

TEST(JwtKeys, SaysWhatIsWrongAndWhere) {
  const json rsa = jwt_vectors()["jwks"]["keys"][0];
  const auto changed = [&](const char* member, const json& value) {
    json out = rsa;
    out[member] = value;
    return set_of(out);
  };
  const std::pair<std::string, const char*> sets[] = {
      {"", "not JSON"},
      {"[]", "no list 'keys'"},
      {"{\"keys\":{}}", "no list 'keys'"},
      {"{\"keys\":[1]}", "not an object"},
      {set_of(rsa, 65), "64 keys"},
      {std::string(256 * 1024 + 1, ' '), "256 KiB"},
      {changed("n", "AQAB"), "2048 bits"},
      {changed("n", "!"), "usable"},
      {changed("e", "AA"), "exponent"},
      {changed("e", "AQ"), "exponent"},
      {changed("kty", 1), "no 'kty'"},
      {set_of({{"kty", "EC"}, {"crv", "P-256"}, {"x", "AQAB"}, {"y", "AQAB"}}), "not usable"},
      {set_of({{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AQAB"}}), "usable 'x'"},
      {set_of({{"kty", "oct"}, {"k", "AQAB"}}), "32 bytes"},
  };
  for (const auto& [text, part] : sets) {
    const auto keys = JwtKeys::from_jwks(text, "jwks.json", true);
    ASSERT_FALSE(keys) << part;
    EXPECT_EQ(keys.error().where, "jwks.json");
    EXPECT_NE(keys.error().text().find(part), std::string::npos) << keys.error().text();
  }
  const std::pair<std::string, const char*> pems[] = {
      {"", "no PEM"},
      {"-----BEGIN PUBLIC KEY-----\nAQAB\n-----END PUBLIC KEY-----\n", "can't be read"},
      {jwt_vectors()["private"], "private key"},
      {"-----BEGIN X-----\nAQAB\n-----END X-----\n", "holds a X"},
  };
  for (const auto& [text, part] : pems) {
    const auto keys = JwtKeys::from_pem(text, "keys.pem");
    ASSERT_FALSE(keys) << part;
    EXPECT_NE(keys.error().text().find(part), std::string::npos) << keys.error().text();
  }
  EXPECT_NE(JwtKeys::from_secrets("too short\n", "secret.txt").error().text().find("32 bytes"), std::string::npos);
  EXPECT_FALSE(JwtKeys::from_secrets("\n", "secret.txt"));
}

TEST(JwtKeys, LeavesOutWhatIsNotForSignaturesOrUnknown) {
  json set = jwt_vectors()["jwks"];
  set["keys"][0]["use"] = "enc";
  set["keys"].push_back({{"kty", "EC"}, {"crv", "secp256k1"}, {"x", "AQAB"}, {"y", "AQAB"}});
  set["keys"].push_back({{"kty", "new"}});
  const auto keys = JwtKeys::from_jwks(set.dump(), "x", false);
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_EQ(keys->size(), 5u) << "neither rsa, nor the secret, which nobody publishes";
  EXPECT_TRUE(keys->candidates("RS256", "").empty());
  EXPECT_TRUE(keys->candidates("HS256", "").empty());
}

TEST(JwtKeys, AKeysOwnAlgorithmAndNameCount) {
  json key = jwt_vectors()["jwks"]["keys"][0];
  key["alg"] = "PS256";
  const auto keys = JwtKeys::from_jwks(set_of(key), "x", false);
  ASSERT_TRUE(keys);
  EXPECT_EQ(keys->candidates("PS256", "rsa").size(), 1u);
  EXPECT_EQ(keys->candidates("PS256", "").size(), 1u);
  EXPECT_TRUE(keys->candidates("PS256", "other").empty());
  EXPECT_TRUE(keys->candidates("RS256", "rsa").empty());
}

TEST(JwtKeys, AllTogetherHaveABound) {
  const json key = jwt_vectors()["jwks"]["keys"][4];
  auto keys = JwtKeys::from_jwks(set_of(key, 40), "x", false);
  ASSERT_TRUE(keys);
  EXPECT_FALSE(keys->add(std::move(*JwtKeys::from_jwks(set_of(key, 25), "y", false)), "y"));
  EXPECT_TRUE(keys->add(std::move(*JwtKeys::from_jwks(set_of(key, 24), "y", false)), "y"));
}

}  // namespace
}  // namespace nuropb::meshd
