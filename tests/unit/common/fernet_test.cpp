// Expected tokens come from Python's cryptography and from the protocol's own vectors
// (tests/unit/data/encryption.json).

#include "common/fernet.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/base64.hpp"

namespace nuropb::fernet {
namespace {

constexpr auto url = base64::Alphabet::url;
const char* const key_text = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const char* const hello =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

Key key() { return *Key::from_text(key_text); }
Iv counting() {
  Iv iv;
  std::iota(iv.begin(), iv.end(), std::uint8_t{0});
  return iv;
}

TEST(Fernet, WritesWhatPythonWrites) {
  EXPECT_EQ(encrypt(key(), "hello", 499162800, counting()), hello);
  EXPECT_EQ(encrypt(key(), "", 0, Iv{}),
            "gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAG8fBjZFQ_nFMMy3I3_0HaUj15bWOcQHPKRQwXi7_hGuwzDhmlmOXbG7nfZyigoopw==");
  EXPECT_EQ(encrypt(key(), "xxxxxxxxxxxxxxxx", 1763632800, counting()),
            "gAAAAABpHuagAAECAwQFBgcICQoLDA0OD9O-hSSAA1cDYH_uVfvb_j0Lo0-X8Ot6wUX335bIpLcJV_Hi-nXCLZhQpYFxPiz109IRgn-"
            "Ky0-cirnguswzT68=");
}

TEST(Fernet, ReadsTheVectors) {
  std::ifstream file(NUROPB_SOURCE_DIR "/tests/unit/data/encryption.json");
  const auto vectors = nlohmann::json::parse(file);
  const auto of_vectors = Key::from_text(vectors["fernet_key"].get<std::string>());
  ASSERT_TRUE(of_vectors);
  for (const std::string name : {"request", "response"}) {
    const auto token = base64::decode(vectors[name + "_fernet_part"].get<std::string>());
    ASSERT_TRUE(token);
    EXPECT_EQ(decrypt(*of_vectors, *token), vectors[name + "_json"].get<std::string>());
  }
}

TEST(Fernet, ReadsWhatItWrites) {
  for (const std::size_t size : {0, 1, 15, 16, 17, 31, 32, 1000, 1'000'003}) {
    const std::string plain(size, 'x');
    const auto token = encrypt(key(), plain);
    ASSERT_TRUE(token);
    EXPECT_EQ(decrypt(key(), *token), plain);
  }
  EXPECT_NE(*encrypt(key(), "same"), *encrypt(key(), "same")) << "the IV is random";
}

TEST(Fernet, KeysHaveOneSpelling) {
  EXPECT_EQ(key().text(), key_text);
  EXPECT_EQ(Key::from_text(Key::random().text())->text().size(), 44U);
  EXPECT_NE(Key::random().text(), Key::random().text());
  for (const char* text :
       {"", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4", "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=", "AAAA",
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ"}) {
    const auto wrong = Key::from_text(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().text(), "Fernet key: is not 32 bytes in base64url");
  }
}

std::string refusal(std::string_view token, const Key& with = key()) {
  const auto plain = decrypt(with, token);
  return plain ? "read: " + *plain : plain.error().what;
}

TEST(Fernet, SaysWhatIsWrong) {
  EXPECT_EQ(refusal(hello, Key::random()), "was created with another key, or modified");
  EXPECT_EQ(refusal(""), "has 0 bytes");
  EXPECT_EQ(refusal("not base64url!"), "is not base64url");
  EXPECT_EQ(refusal(std::string(hello) + "\n"), "is not base64url");
  const std::string raw = *base64::decode(hello, url);
  EXPECT_EQ(refusal(base64::encode(raw.substr(0, raw.size() - 1), url)), "has 72 bytes");
  std::string other = raw;
  other[0] = '\x81';
  EXPECT_EQ(refusal(base64::encode(other, url)), "is not of version 0x80");
}

TEST(Fernet, EveryFlippedBitIsNoticed) {
  const std::string raw = *base64::decode(hello, url);
  for (std::size_t bit = 8; bit < raw.size() * 8; ++bit) {
    std::string altered = raw;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(refusal(base64::encode(altered, url)), "was created with another key, or modified") << bit;
  }
}

TEST(Fernet, WrongPaddingUnderARightSignature) {
  // From Python: one block of 0x20, whose last byte is not valid padding, signed with the key.
  ERR_clear_error();
  EXPECT_EQ(
      refusal("gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAKG3tPW3eySK0pYomnOjdW--VLlLIpuGVnq4u8L3Vu5o_7sgUGHOk_mbCpAwMxuBiA=="),
      "has wrong padding");
  EXPECT_EQ(ERR_peek_error(), 0U) << "nothing is left in OpenSSL's queue";
}

TEST(Fernet, EveryTruncationIsNoticed) {
  const std::string raw = *base64::decode(*encrypt(key(), std::string(100, 'x')), url);
  for (std::size_t n = 0; n < raw.size(); ++n) ASSERT_FALSE(decrypt(key(), base64::encode(raw.substr(0, n), url))) << n;
}

}  // namespace
}  // namespace nuropb::fernet
