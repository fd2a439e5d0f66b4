#include "meshd/auth/jwt.hpp"

#include <gtest/gtest.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "meshd/auth/claims.hpp"
#include "meshd/auth/unpadded.hpp"
#include "tests/unit/meshd/jwt_vectors.hpp"

namespace nuropb::meshd {
namespace {

using What = JwtVerdict::What;
constexpr std::int64_t now = 1'800'000'000;

const JwtRules all{{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384",
                    "HS512", "EdDSA"},
                   "https://issuer.test",
                   {"gateway"},
                   0,
                   true};

JwtKeys whole_set() {
  auto keys = JwtKeys::from_jwks(jwt_vectors()["jwks"].dump(), "jwks.json", true);
  EXPECT_TRUE(keys) << keys.error().text();
  return keys ? std::move(*keys) : JwtKeys();
}

TEST(Jwt, EveryAlgorithmOfAnotherImplementation) {
  const JwtKeys keys = whole_set();
  EXPECT_EQ(keys.size(), 7u);
  ASSERT_EQ(jwt_vectors()["tokens"].size(), 14u);
  for (const auto& one : jwt_vectors()["tokens"]) {
    const std::string token = one["token"], algorithm = one["alg"];
    EXPECT_TRUE(looks_like_jwt(token));
    const auto verdict = judge_jwt(token, keys, all, now);
    EXPECT_EQ(verdict.what, What::good) << algorithm << ": " << verdict.reason;
    EXPECT_EQ(verdict.claims["sub"], "ann");
    EXPECT_EQ(verdict.expires, 4102444800);
    JwtRules without = all;
    std::erase(without.algorithms, algorithm);
    EXPECT_EQ(judge_jwt(token, keys, without, now).what, What::bad) << algorithm << " is not allowed";
  }
}

TEST(Jwt, EveryAlteredBitIsRefused) {
  const JwtKeys keys = whole_set();
  for (const auto& one : jwt_vectors()["tokens"]) {
    const std::string token = one["token"];
    const std::size_t signature = token.rfind('.') + 1;
    for (std::size_t at = 0; at < token.size(); at += at < signature ? 7 : 3) {
      for (const char c : {'A', '_'}) {
        if (token[at] == c || token[at] == '.') continue;
        std::string altered = token;
        altered[at] = c;
        ASSERT_NE(judge_jwt(altered, keys, all, now).what, What::good) << one["alg"] << " byte " << at;
      }
    }
    for (std::size_t size = 0; size < token.size(); size += 11)
      ASSERT_NE(judge_jwt(token.substr(0, size), keys, all, now).what, What::good) << size;
  }
}

TEST(Jwt, Attacks) {
  const JwtKeys keys = whole_set();
  for (const auto& [name, token] : jwt_vectors()["attacks"].items()) {
    const auto verdict = judge_jwt(token.get<std::string>(), keys, all, now);
    EXPECT_NE(verdict.what, What::good) << name;
    EXPECT_FALSE(verdict.reason.empty()) << name;
  }
}

TEST(Jwt, APublicKeyIsNoSecretEvenIfTheListAllowsHmac) {
  const auto keys = JwtKeys::from_pem(jwt_vectors()["pem"]["rsa"].get<std::string>(), "rsa.pem");
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->candidates("HS256", "").empty());
  for (const char* name : {"public key as secret, PEM", "public key as secret, n"})
    EXPECT_NE(judge_jwt(jwt_vectors()["attacks"][name], *keys, all, now).what, What::good) << name;
}

TEST(Jwt, Claims) {
  const JwtKeys keys = whole_set();
  const auto judge = [&](const char* name, const JwtRules& rules, std::int64_t at = now) {
    return judge_jwt(jwt_vectors()["claims"][name], keys, rules, at);
  };
  for (const char* name : {"expired", "exp is a text", "not yet", "from the future", "another's", "no aud", "no exp"})
    EXPECT_EQ(judge(name, all).what, What::bad) << name;
  EXPECT_EQ(judge("other issuer", all).what, What::foreign);
  EXPECT_EQ(judge("aud is a text", all).what, What::good);
  EXPECT_EQ(judge("no sub", all).what, What::good) << "which claim is the user is not decided here";

  JwtRules rules = all;
  rules.issuer = "";
  EXPECT_EQ(judge("other issuer", rules).what, What::good);
  rules.audience = {};
  EXPECT_EQ(judge("no aud", rules).what, What::good);
  EXPECT_EQ(judge("another's", rules).what, What::bad) << "a token for an audience, and no rule says that it is us";
  rules.require_exp = false;
  rules.audience = {"x", "other"};
  EXPECT_EQ(judge("no exp", rules).what, What::good);
  EXPECT_EQ(judge("no exp", rules).expires, 0);
}

TEST(Jwt, Leeway) {
  const JwtKeys keys = whole_set();
  JwtRules rules = all;
  rules.leeway_s = 30;
  const auto judge = [&](const char* name, std::int64_t at) {
    return judge_jwt(jwt_vectors()["claims"][name], keys, rules, at).what;
  };
  EXPECT_EQ(judge("not yet", 4000000000 - 30), What::good);
  EXPECT_EQ(judge("not yet", 4000000000 - 31), What::bad);
  EXPECT_EQ(judge("from the future", 4000000000 - 30), What::good);
  EXPECT_EQ(judge("from the future", 4000000000 - 31), What::bad);
  EXPECT_EQ(judge("aud is a text", 4102444800 + 29), What::good);
  EXPECT_EQ(judge("aud is a text", 4102444800 + 30), What::bad);
  EXPECT_EQ(judge_jwt(jwt_vectors()["claims"]["aud is a text"], keys, rules, now).expires, 4102444800 + 30);
}

TEST(Jwt, TellsAWrongSignatureFromAKeyThatItDoesNotHave) {
  const auto one_key =
      JwtKeys::from_jwks(nlohmann::json{{"keys", {jwt_vectors()["jwks"]["keys"][0]}}}.dump(), "x", false);  // "rsa"
  ASSERT_TRUE(one_key);
  for (const auto& one : jwt_vectors()["tokens"]) {
    const bool its = one["key"] == "rsa";
    EXPECT_EQ(judge_jwt(one["token"], *one_key, all, now).what, its ? What::good : What::unknown_key) << one["alg"];
  }
  EXPECT_EQ(judge_jwt(jwt_vectors()["attacks"]["empty signature"], *one_key, all, now).what, What::bad)
      << "the key of that name is there";
}

TEST(Jwt, OpaqueTokensDontLookLikeOne) {
  for (const char* token : {"", "secret-ann", "a.b", "a.b.c", "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30",
                            "eyJhbGciOiJub25lIn0.e30.x.y", "bnVsbA.e30."})
    EXPECT_FALSE(looks_like_jwt(token)) << token;
  EXPECT_TRUE(looks_like_jwt("eyJhbGciOiJub25lIn0.e30."));
}

/// A token of HS256 under the vectors' secret, with these claims as text: numbers stay as they are written.
std::string signed_here(const std::string& claims) {
  const std::string secret = jwt_vectors()["secret"];
  const std::string input = unpadded::encode(R"({"alg":"HS256"})") + "." + unpadded::encode(claims);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac, &size);
  return input + "." + unpadded::encode(std::string_view(reinterpret_cast<const char*>(mac), size));
}

TEST(Jwt, TimesOfAnySize) {
  const auto keys = JwtKeys::from_secrets(jwt_vectors()["secret"].get<std::string>(), "secret.txt");
  ASSERT_TRUE(keys);
  const JwtRules rules{{"HS256"}, "", {}, 60, true};
  const auto judged = [&](const std::string& times) {
    return judge_jwt(signed_here(R"({"sub":"ann",)" + times + "}"), *keys, rules, now);
  };
  for (const char* far : {"9223372036854775", "9223372036854775807", "18446744073709551616", "1e30"}) {
    const auto verdict = judged(std::string("\"exp\":") + far);
    EXPECT_EQ(verdict.what, What::good) << far << ": " << verdict.reason;
    EXPECT_EQ(verdict.expires, far_future + 60) << far;
    EXPECT_EQ(judged(std::string("\"exp\":4102444800,\"nbf\":") + far).reason, "it is not valid yet (nbf)") << far;
    EXPECT_EQ(judged(std::string("\"exp\":4102444800,\"iat\":") + far).reason, "it was issued in the future (iat)");
    EXPECT_EQ(judged(std::string("\"exp\":-") + far).reason, "it has expired") << far;
    EXPECT_EQ(judged(std::string("\"exp\":4102444800,\"nbf\":-") + far).what, What::good) << far;
    EXPECT_EQ(judged(std::string("\"exp\":4102444800,\"iat\":-") + far).what, What::good) << far;
  }
  EXPECT_EQ(judged("\"exp\":1800000000.5").expires, 1800000060);
  EXPECT_EQ(judged("\"exp\":0").reason, "it has expired");
  EXPECT_EQ(judged("\"exp\":-1").reason, "it has expired");
  for (const char* odd : {"\"1800000000\"", "null", "true", "[1]"})
    EXPECT_EQ(judged(std::string("\"exp\":") + odd).reason, "exp, nbf or iat is not a time") << odd;
}

}  // namespace
}  // namespace nuropb::meshd
