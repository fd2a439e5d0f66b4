#include "meshd/peer_keys.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/meshd/temp_file.hpp"

namespace nuropb::meshd {
namespace {

const std::string first(32, 'a'), second(40, 'b');

TEST(PeerKeys, TheFirstMakesMacsAndAllVerify) {
  const auto old = PeerKeys::parse(first + "\n", "keys"),
             both = PeerKeys::parse("# new\n\n" + second + "\r\n" + first, "keys"),
             fresh = PeerKeys::parse(second, "keys");
  ASSERT_TRUE(old && both && fresh);
  EXPECT_EQ(both->size(), 2u);
  EXPECT_TRUE(both->verifies("text", old->mac("text")));
  EXPECT_TRUE(both->verifies("text", fresh->mac("text")));
  EXPECT_EQ(both->mac("text"), fresh->mac("text"));
  EXPECT_FALSE(old->verifies("text", fresh->mac("text")));
  EXPECT_FALSE(old->verifies("texT", old->mac("text")));
  for (const std::string& wrong : {std::string(), old->mac("text").substr(1), old->mac("text") + "0"})
    EXPECT_FALSE(old->verifies("text", wrong));
}

TEST(PeerKeys, MacsAreHmacWithSha256) {
  // printf text | openssl dgst -sha256 -hmac KEY
  EXPECT_EQ(PeerKeys::parse(first, "keys")->mac("text"),
            "ced86e10785eafc1f0ec31c0a62ee1dbeff365e637733233c5202ab4197b9da4");
}

TEST(PeerKeys, AreReadAgainAndKeptWhereTheFileIsWrong) {
  const std::string file = temp_file("peer-keys");
  std::ofstream(file) << first;
  auto keys = PeerKeys::load(file);
  ASSERT_TRUE(keys) << keys.error().text();
  const std::string mac = keys->mac("text");
  std::ofstream(file) << "short";
  EXPECT_FALSE(keys->reload());
  EXPECT_EQ(keys->mac("text"), mac);
  std::ofstream(file) << second;
  EXPECT_TRUE(keys->reload());
  EXPECT_FALSE(keys->verifies("text", mac));
}

TEST(PeerKeys, MistakesAreNamedAndKeysAreNot) {
  const std::pair<std::string, const char*> wrong[] = {
      {"", "holds no key"}, {"# only a comment\n", "holds no key"}, {"short-secret\n", "fewer than 32"}};
  for (const auto& [text, what] : wrong) {
    const auto keys = PeerKeys::parse(text, "keys.txt");
    ASSERT_FALSE(keys) << text;
    EXPECT_NE(keys.error().text().find(what), std::string::npos) << keys.error().text();
    EXPECT_NE(keys.error().text().find("keys.txt"), std::string::npos);
    EXPECT_EQ(keys.error().text().find("secret"), std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += first + "\n";
  EXPECT_FALSE(PeerKeys::parse(many, "keys.txt"));
  EXPECT_FALSE(PeerKeys::load("/nowhere/keys.txt"));
}

}  // namespace
}  // namespace nuropb::meshd
