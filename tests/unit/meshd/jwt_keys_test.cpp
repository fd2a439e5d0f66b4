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
      {"{\"keys\":[]}", "has no keys"},
      {std::string(256 * 1024 + 1, ' '), "256 KiB"},
      {changed("n", "AQAB"), "2048 bits"},
      {changed("n", "!"), "usable"},
      {changed("e", "AA"), "exponent"},
      {changed("e", "AQ"), "exponent"},
      {changed("kty", 1), "'kty' is not a text"},
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
  EXPECT_EQ(keys->size(), 5u) << "neither rsa, nor the secret, which is never published";
  EXPECT_TRUE(keys->candidates("RS256", "").empty());
  EXPECT_TRUE(keys->candidates("HS256", "").empty());
}

/// Keys that are skipped in a set that also has a good key, and why.
SkippedKeys skipped_beside_a_good_one(const json& odd) {
  const json good = jwt_vectors()["jwks"]["keys"][0];
  SkippedKeys out;
  for (const json& keys : {json::array({odd, good}), json::array({good, odd})}) {
    const auto read = JwtKeys::from_jwks(json{{"keys", keys}}.dump(), "jwks.json", false);
    EXPECT_TRUE(read) << odd << ": " << read.error().text();
    if (!read) continue;
    EXPECT_EQ(read->size(), 1u) << odd;
    EXPECT_EQ(read->candidates("RS256", "rsa").size(), 1u) << odd;
    out = read->skipped();
  }
  return out;
}

/// RFC 7517, section 5: an implementation ignores keys that it can't use.
TEST(JwtKeys, OneOddKeyDoesNotSpoilASet) {
  const json rsa = jwt_vectors()["jwks"]["keys"][0];
  const auto changed = [&](const char* member, const json& value) {
    json out = rsa;
    out[member] = value;
    out["kid"] = "odd";
    return out;
  };
  json only_certificate = rsa;
  only_certificate.erase("n");
  only_certificate["x5c"] = json::array({"MIIB"});
  only_certificate["kid"] = "x5c";
  json numbered = rsa;
  numbered["kid"] = 7;
  const std::string weak = "v" + std::string(170, 'A') + "E";  // 1032 bits: 129 bytes
  const std::pair<json, const char*> unusable[] = {
      {changed("n", weak), "key 2 ('odd'): an RSA key has less than 2048 bits"},
      {changed("n", 5), "key 2 ('odd'): an RSA key has no usable 'n' and 'e'"},
      {changed("n", "!"), "key 2 ('odd'): an RSA key has no usable 'n' and 'e'"},
      {changed("e", "AQ"), "key 2 ('odd'): an RSA key has an invalid exponent"},
      {changed("kty", "LMS"), "key 2 ('odd'): its type 'LMS' is unknown"},
      {changed("kty", 1), "key 2 ('odd'): its 'kty' is not a text"},
      {changed("use", 1), "key 2 ('odd'): its 'use' is not a text"},
      {changed("alg", json::array()), "key 2 ('odd'): its 'alg' is not a text"},
      {changed("key_ops", "verify"), "key 2 ('odd'): its 'key_ops' is not a list"},
      {numbered, "key 2: its 'kid' is not a text"},
      {only_certificate, "key 2 ('x5c'): an RSA key has no usable 'n' and 'e'"},
      {{{"kty", "EC"}, {"crv", "secp256k1"}, {"x", "AQAB"}, {"y", "AQAB"}}, "key 2: its curve 'secp256k1' is unknown"},
      {{{"kty", "EC"}, {"crv", "P-256"}, {"x", "AQAB"}, {"y", "AQAB"}}, "key 2: a key of type EC is not usable"},
      {{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AQAB"}}, "key 2: an Ed25519 key has no usable 'x'"},
      {{{"kty", "oct"}, {"k", std::string(64, 'A')}}, "key 2: it is a secret, and this set is public"},
      {json::object(), "key 2: it has no 'kty'"},
      {1, "key 2: it is not an object"},
      {nullptr, "key 2: it is not an object"},
  };
  for (const auto& [key, why] : unusable) {
    const SkippedKeys skipped = skipped_beside_a_good_one(key);
    EXPECT_EQ(skipped, (SkippedKeys{1, 0, {why}})) << skipped.text();
  }
  const std::pair<json, const char*> others[] = {
      {changed("use", "enc"), "key 2 ('odd'): its 'use' is 'enc'"},
      {changed("alg", "RSA-OAEP"), "key 2 ('odd'): its 'alg' is 'RSA-OAEP'"},
      {changed("alg", "ES256"), "key 2 ('odd'): its 'alg' is 'ES256'"},
      {changed("key_ops", {"encrypt", "wrapKey"}), "key 2 ('odd'): its 'key_ops' does not have \"verify\""},
      {{{"kty", "OKP"}, {"crv", "X25519"}, {"x", "AQAB"}}, "key 2: its curve is 'X25519'"},
  };
  for (const auto& [key, why] : others) {
    const SkippedKeys skipped = skipped_beside_a_good_one(key);
    EXPECT_EQ(skipped, (SkippedKeys{0, 1, {why}})) << skipped.text();
  }
}

TEST(JwtKeys, TwoKeysOfOneNameAreBothTried) {
  json set = jwt_vectors()["jwks"];
  set["keys"][1]["kid"] = "rsa";
  const auto twice = JwtKeys::from_jwks(set_of(set["keys"][0], 2), "x", false);
  ASSERT_TRUE(twice);
  EXPECT_EQ(twice->candidates("RS256", "rsa").size(), 2u);
  EXPECT_EQ(twice->skipped(), SkippedKeys());
  const auto apart = JwtKeys::from_jwks(set.dump(), "x", false);
  ASSERT_TRUE(apart) << "RFC 7517, section 4.5: of other types they may even share a name";
  EXPECT_EQ(apart->candidates("RS256", "rsa").size(), 1u);
}

TEST(JwtKeys, OfTooManyTheFirstAreTaken) {
  const auto many = JwtKeys::from_jwks(set_of(jwt_vectors()["jwks"]["keys"][4], 100), "x", false);
  ASSERT_TRUE(many) << many.error().text();
  EXPECT_EQ(many->size(), max_jwt_keys);
  EXPECT_EQ(many->skipped().unusable, 36u);
  EXPECT_EQ(many->skipped().named.size(), SkippedKeys::most_named);
  EXPECT_NE(many->skipped().text().find("and 20 more"), std::string::npos) << many->skipped().text();
}

TEST(JwtKeys, InOurOwnFilesEachKeyHasToBeGood) {
  const std::string good = jwt_vectors()["secret"];
  const auto secrets = JwtKeys::from_secrets(good + "\ntoo short\n", "secret.txt");
  ASSERT_FALSE(secrets);
  EXPECT_EQ(secrets.error().text(), "secret.txt: key 2: a secret has less than 32 bytes");
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
