#include "meshd/auth/static_tokens.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/meshd/temp_file.hpp"

namespace nuropb::meshd {
namespace {

Result<Identity> judge(Authorizer& authorizer, const std::string& token) {
  std::optional<Verdict> verdict;
  authorizer.judge({records::CredentialKind::header, token}, [&](Verdict v) { verdict = std::move(v); });
  EXPECT_TRUE(verdict.has_value()) << "a file needs no waiting";
  if (!verdict) return failure("none");
  if (verdict->accepted()) return verdict->identity;
  EXPECT_EQ(verdict->what, Verdict::What::not_mine) << "another authorizer may know it";
  return failure(verdict->reason);
}

constexpr const char* two = R"(
[tokens."secret-ann"]
user_id = "ann"
username = "Ann"
[tokens.secret-bob]
user_id = "bob"
)";

TEST(StaticTokens, KnowsItsUsers) {
  auto tokens = StaticTokens::parse(two, "t.toml");
  ASSERT_TRUE(tokens) << tokens.error().text();
  const auto ann = judge(*tokens, "secret-ann");
  ASSERT_TRUE(ann);
  EXPECT_EQ(ann->user_id, "ann");
  EXPECT_EQ(ann->username, "Ann");
  EXPECT_EQ(ann->token, "secret-ann");
  const auto bob = judge(*tokens, "secret-bob");
  ASSERT_TRUE(bob);
  EXPECT_EQ(bob->username, "");
}

TEST(StaticTokens, RefusesWhatItDoesNotKnowAndDoesNotRepeatIt) {
  auto tokens = StaticTokens::parse(two, "t.toml");
  ASSERT_TRUE(tokens);
  for (const char* token : {"", "secret-an", "secret-ann ", "Secret-ann"}) {
    const auto verdict = judge(*tokens, token);
    ASSERT_FALSE(verdict) << token;
    EXPECT_EQ(verdict.error().text().find("secret"), std::string::npos);
  }
}

TEST(StaticTokens, NamesFileLineAndMistakeButNeverTheToken) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"[tokens.\"secret-x\"]\nusername = \"X\"\n", "user_id"},
      {"[tokens.\"secret-x\"]\nuser_id = 7\n", "not a string"},
      {"[tokens.\"secret-x\"]\nuser_id = \"x\"\nrole = \"y\"\n", "unknown key 'role'"},
      {"[tokens]\n\"secret-x\" = \"x\"\n", "not a table"},
      {"tokens = 1\n", "not a table"},
      {"[users]\n", "unknown key 'users'"},
      {"[tokens.\"secret-x\"\n", "not TOML"},
      {"[tokens.\"\"]\nuser_id = \"x\"\n", "empty"},
  };
  for (const auto& [text, part] : mistakes) {
    const auto tokens = StaticTokens::parse(text, "t.toml");
    ASSERT_FALSE(tokens) << text;
    const std::string message = tokens.error().text();
    EXPECT_NE(message.find("t.toml"), std::string::npos) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find("secret-x"), std::string::npos) << message;
  }
}

TEST(StaticTokens, ReloadTakesEffectAndAMistakeLeavesTheFormerOnesInForce) {
  const std::string file = temp_file("tokens-reload.toml");
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  write("[tokens.a]\nuser_id = \"a\"\n");
  auto tokens = StaticTokens::load(file);
  ASSERT_TRUE(tokens);
  write("[tokens.b]\nuser_id = \"b\"\n");
  ASSERT_TRUE(tokens->reload());
  EXPECT_FALSE(judge(*tokens, "a"));
  EXPECT_TRUE(judge(*tokens, "b"));
  write("[tokens.c\n");
  EXPECT_FALSE(tokens->reload());
  EXPECT_TRUE(judge(*tokens, "b"));
  std::filesystem::remove(file);
}

TEST(StaticTokens, OtherCredentialsAreNotItsBusiness) {
  auto tokens = StaticTokens::parse(two, "t.toml");
  ASSERT_TRUE(tokens);
  for (const auto kind : {records::CredentialKind::session_cookie, records::CredentialKind::client_certificate,
                          records::CredentialKind::none}) {
    std::optional<Verdict> verdict;
    tokens->judge({kind, "secret-ann"}, [&](Verdict v) { verdict = std::move(v); });
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->what, Verdict::What::not_mine);
  }
}

TEST(StaticTokens, SaysAfterAReloadWhoIsStillGood) {
  const std::string file = temp_file("tokens-revoke.toml");
  const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
  write("[tokens.a]\nuser_id = \"ann\"\n[tokens.b]\nuser_id = \"bob\"\n");
  auto tokens = StaticTokens::load(file);
  ASSERT_TRUE(tokens);
  const auto ann = judge(*tokens, "a"), bob = judge(*tokens, "b");
  ASSERT_TRUE(ann && bob);
  EXPECT_TRUE(tokens->still_good(*ann));
  write("[tokens.a]\nuser_id = \"eve\"\n");
  ASSERT_TRUE(tokens->reload());
  EXPECT_FALSE(tokens->still_good(*ann)) << "the token is another user's now";
  EXPECT_FALSE(tokens->still_good(*bob));
  std::filesystem::remove(file);
}

TEST(StaticTokens, AMissingFileIsNamed) {
  const auto tokens = StaticTokens::load("/nonexistent/tokens.toml");
  ASSERT_FALSE(tokens);
  EXPECT_NE(tokens.error().text().find("/nonexistent/tokens.toml"), std::string::npos);
}

}  // namespace
}  // namespace nuropb::meshd
