#include "meshd/snorky/backend_keys.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd::snorky {
namespace {

TEST(BackendKeys, EachHasItsName) {
  const auto keys = BackendKeys::parse("[keys]\na = \"0123456789abcdef\"\nb = \"fedcba9876543210\"\n", "keys");
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_EQ(keys->size(), 2u);
  ASSERT_TRUE(keys->judge("0123456789abcdef"));
  EXPECT_EQ(keys->judge("0123456789abcdef")->name, "a");
  EXPECT_EQ(keys->judge("fedcba9876543210")->name, "b");
  EXPECT_FALSE(keys->judge("fedcba9876543210")->scope.refuses("gateway", "close_all", "{}"));
  for (const char* const wrong : {"", "0123456789abcde", "0123456789abcdef ", "0123456789ABCDEF"})
    EXPECT_FALSE(keys->judge(wrong)) << wrong;
}

TEST(BackendKeys, OneMayHaveAScope) {
  const auto keys = BackendKeys::parse(
      "[keys]\na = \"0123456789abcdef\"\n[keys.b]\nkey = \"fedcba9876543210\"\nmay = [\"publish\"]\nchannels = "
      "[\"b.*\"]\n",
      "keys");
  ASSERT_TRUE(keys) << keys.error().text();
  const auto* const owner = keys->judge("fedcba9876543210");
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->name, "b");
  EXPECT_TRUE(owner->scope.refuses("gateway", "close_all", "{}"));
  EXPECT_TRUE(owner->scope.refuses("pubsub_backend", "publish", R"({"channel":"a","message":1})"));
  EXPECT_FALSE(owner->scope.refuses("pubsub_backend", "publish", R"({"channel":"b.1","message":1})"));
}

TEST(BackendKeys, MistakesAreNamedAndKeysAreNot) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "no [keys] table"},
      {"[keys]\n", "no [keys] table"},
      {"keys = 1\n", "no [keys] table"},
      {"[keys]\na = 1\n", "not a string"},
      {"[keys]\na = \"short-secret\"\n", "shorter than 16"},
      {"[keys]\na = \"secret with a space\"\n", "not allowed in a header"},
      {"[keys]\na = \"0123456789abcdef\"\n[more]\n", "unknown key 'more'"},
      {"[keys", "not TOML"},
      {"[keys.a]\nmay = [\"publish\"]\n", "not a string"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\n", "no 'may'"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\nmay = []\n", "'may' is not a list"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\nmay = \"publish\"\n", "'may' is not a list"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\nmay = [\"publish\", \"fly\"]\n", "'fly' is not an operation"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\nmay = [\"send\"]\nusers = [1]\n", "entry that is not a string"},
      {"[keys.a]\nkey = \"0123456789abcdef\"\nmay = [\"send\"]\nuser = [\"a\"]\n", "unknown name 'user'"},
  };
  for (const auto& [text, what] : wrong) {
    const auto keys = BackendKeys::parse(text, "keys.toml");
    ASSERT_FALSE(keys) << text;
    EXPECT_NE(keys.error().text().find(what), std::string::npos) << keys.error().text();
    EXPECT_EQ(keys.error().text().find("secret"), std::string::npos);
  }
  EXPECT_FALSE(BackendKeys::parse("[keys]\na = \"" + std::string(1025, 'x') + "\"\n", "keys.toml"));
  EXPECT_FALSE(BackendKeys::load("/nowhere/keys.toml"));
}

}  // namespace
}  // namespace nuropb::meshd::snorky
