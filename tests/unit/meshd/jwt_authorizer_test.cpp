#include "meshd/auth/jwt_authorizer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "tests/unit/meshd/jwt_vectors.hpp"
#include "tests/unit/meshd/small_server.hpp"
#include "tests/unit/meshd/temp_file.hpp"
#include "tests/unit/meshd/verdicts.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using What = Verdict::What;

std::string token_of(const std::string& algorithm) {
  for (const auto& one : jwt_vectors()["tokens"]) {
    if (one["alg"] == algorithm) return one["token"];
  }
  return {};
}
std::string keys_named(std::initializer_list<const char*> names) {
  json keys = json::array();
  for (const auto& key : jwt_vectors()["jwks"]["keys"]) {
    for (const char* name : names) {
      if (key["kid"] == name) keys.push_back(key);
    }
  }
  return json{{"keys", keys}}.dump();
}

JwtAuthorizer::Settings settings() {
  JwtAuthorizer::Settings out;
  out.rules = {{"RS256", "ES256", "EdDSA", "HS256"}, "https://issuer.test", {"gateway"}, 0, true};
  out.clock = [] { return std::int64_t{1'800'000'000}; };
  return out;
}

struct JwtAuthorizerTest : testing::Test {
  void make(JwtAuthorizer::Settings from) {
    auto made = JwtAuthorizer::make(std::move(from));
    ASSERT_TRUE(made) << made.error().text();
    jwt = std::move(*made);
    jwt->start(loop.post());
  }
  /// A server that publishes `published`, or answers with `status`.
  void serve(milliseconds retry) {
    server.emplace([this](const SmallServer::Request&) {
      const std::lock_guard lock(mutex);
      return SmallServer::Answer{status, published};
    });
    auto from = settings();
    from.remote =
        RemoteKeys::Settings{{server->url(), {}, max_jwks_bytes}, milliseconds(10'000), retry, milliseconds(3'600'000)};
    make(std::move(from));
  }
  void publish(std::string text, unsigned with = 200) {
    const std::lock_guard lock(mutex);
    published = std::move(text);
    status = with;
  }
  Verdict judge(const std::string& token) { return loop.judge(*jwt, bearer(token)); }

  std::mutex mutex;
  std::string published = keys_named({"rsa"});
  unsigned status = 200;
  TestLoop loop;
  std::optional<SmallServer> server;
  std::unique_ptr<JwtAuthorizer> jwt;  // before server and loop go
};

TEST_F(JwtAuthorizerTest, IsTheUserInTheToken) {
  const std::string file = temp_file("jwks.json");
  std::ofstream(file) << jwt_vectors()["jwks"].dump();
  auto from = settings();
  from.jwks_file = file;
  make(std::move(from));
  const Verdict verdict = judge(token_of("ES256"));
  ASSERT_TRUE(verdict.accepted()) << verdict.reason;
  EXPECT_EQ(verdict.identity.user_id, "ann");
  EXPECT_EQ(verdict.identity.username, "Ann");
  EXPECT_EQ(verdict.identity.roles, std::vector<std::string>{"clerk"});
  EXPECT_EQ(verdict.identity.expires, 4102444800);
  EXPECT_EQ(verdict.identity.token, token_of("ES256"));
  EXPECT_EQ(judge("opaque").what, What::not_mine);
  EXPECT_EQ(judge(jwt_vectors()["claims"]["other issuer"]).what, What::not_mine);
  EXPECT_EQ(judge(jwt_vectors()["claims"]["expired"]).what, What::refused);
  EXPECT_EQ(judge(jwt_vectors()["attacks"]["none"]).what, What::refused);
  EXPECT_EQ(judge(jwt_vectors()["claims"]["no sub"]).what, What::refused);
  EXPECT_EQ(judge(token_of("ES384")).what, What::refused) << "not in the list";

  std::ofstream(file) << keys_named({"rsa"});
  ASSERT_TRUE(jwt->reload());
  EXPECT_EQ(judge(token_of("ES256")).what, What::refused)
      << "its key is gone, and there is nowhere to look for a newer one";
  std::ofstream(file) << "{";
  const auto wrong = jwt->reload();
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text().find(file), std::string::npos);
  EXPECT_TRUE(judge(token_of("RS256")).accepted()) << "the former keys stay in force";
  std::filesystem::remove(file);
}

TEST_F(JwtAuthorizerTest, NamesTheFileAndTheSettingThatAreWrong) {
  EXPECT_NE(JwtAuthorizer::make(settings()).error().text().find("no keys"), std::string::npos);
  auto from = settings();
  from.key_file = "/nonexistent/key.pem";
  const auto made = JwtAuthorizer::make(std::move(from));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text().find("/nonexistent/key.pem"), std::string::npos);
  EXPECT_NE(made.error().text().find("jwt.key_file"), std::string::npos);
}

TEST_F(JwtAuthorizerTest, FetchesKeysOnceForAllTokens) {
  serve(milliseconds(600'000));
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  EXPECT_EQ(server->requests(), 1);
}

TEST_F(JwtAuthorizerTest, AKeyThatIsNotKnownIsAskedForAtMostSoOften) {
  serve(milliseconds(600'000));
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  EXPECT_EQ(judge(token_of("EdDSA")).what, What::unavailable) << "it was just fetched: come again";
  EXPECT_EQ(server->requests(), 1);
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
}

TEST_F(JwtAuthorizerTest, ANewKeyCounts) {
  serve(milliseconds(0));
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  EXPECT_EQ(judge(token_of("EdDSA")).what, What::refused) << "the newest set does not have it";
  publish(keys_named({"ed25519"}));
  EXPECT_TRUE(judge(token_of("EdDSA")).accepted());
  EXPECT_EQ(judge(token_of("RS256")).what, What::refused) << "the previous key was removed";
}

TEST_F(JwtAuthorizerTest, TheLastGoodSetStaysInForce) {
  serve(milliseconds(0));
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  for (const auto& [text, with] : {std::pair<std::string, unsigned>{"oops", 500},
                                   {"not JSON", 200},
                                   {std::string(max_jwks_bytes + 1, ' '), 200}}) {
    publish(text, with);
    EXPECT_EQ(judge(token_of("EdDSA")).what, What::unavailable) << "the issuer can't be asked";
    EXPECT_TRUE(judge(token_of("RS256")).accepted());
  }
  server->stop();
  EXPECT_EQ(judge(token_of("EdDSA")).what, What::unavailable);
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
}

TEST_F(JwtAuthorizerTest, KeysOfFilesCountBesideThoseOfTheAddress) {
  const std::string file = temp_file("jwks-beside.json");
  json many = json::array();
  for (int i = 0; i < 64; ++i) many.push_back(jwt_vectors()["jwks"]["keys"][4]);
  std::ofstream(file) << json{{"keys", many}}.dump();
  server.emplace([this](const SmallServer::Request&) { return SmallServer::Answer{status, published}; });
  auto from = settings();
  from.jwks_file = file;
  from.remote = RemoteKeys::Settings{
      {server->url(), {}, max_jwks_bytes}, milliseconds(10'000), milliseconds(0), milliseconds(3'600'000)};
  make(std::move(from));
  EXPECT_TRUE(judge(token_of("RS256")).accepted()) << "of the address";
  EXPECT_TRUE(judge(token_of("EdDSA")).accepted()) << "of the file, which is as full as may be";
  std::filesystem::remove(file);
}

TEST_F(JwtAuthorizerTest, SecretsAreNotTakenFromAnAddress) {
  publish(keys_named({"secret", "rsa"}));
  serve(milliseconds(0));
  EXPECT_TRUE(judge(token_of("RS256")).accepted());
  EXPECT_FALSE(judge(token_of("HS256")).accepted());
}

TEST_F(JwtAuthorizerTest, AFloodIsToldToComeAgain) {
  const std::string file = temp_file("jwks-flood.json");
  std::ofstream(file) << jwt_vectors()["jwks"].dump();
  auto from = settings();
  from.jwks_file = file;
  from.queued = 2;
  auto made = JwtAuthorizer::make(std::move(from));
  ASSERT_TRUE(made);
  jwt = std::move(*made);  // not started: nothing leaves the queue
  int later = 0;
  for (int i = 0; i < 5; ++i)
    jwt->judge(bearer(token_of("RS256")), [&](const Verdict& v) { later += v.what == What::unavailable; });
  EXPECT_EQ(later, 3);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace nuropb::meshd
