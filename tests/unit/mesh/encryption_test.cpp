// tests/unit/data/encryption.json was created with the real peer's library: its output is decrypted here, and
// tests/interop proves the reverse direction with the running peer.

#include "meshd/mesh/encryption.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/base64.hpp"

namespace nuropb::mesh {
namespace {

/// The vectors, by name.
std::string vector(const std::string& name) {
  static const auto all = [] {
    std::ifstream file(NUROPB_SOURCE_DIR "/tests/unit/data/encryption.json");
    return nlohmann::json::parse(file);
  }();
  return all.at(name).get<std::string>();
}
fernet::Key key() { return *fernet::Key::from_text(vector("fernet_key")); }
PrivateKey private_key() { return *PrivateKey::from_pem(vector("private_key")); }
PublicKey public_key() { return *PublicKey::from_pem(vector("public_key")); }

/// One for all tests, because generating a key is slow.
const PrivateKey& another_key() {
  static const PrivateKey made = *PrivateKey::generate();
  return made;
}

TEST(Encryption, ReadsARequestOfThePeer) {
  const auto opened = decrypt_request(vector("request_body"), private_key());
  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ(opened->json, vector("request_json"));
  EXPECT_EQ(opened->key.text(), vector("fernet_key"));
}

TEST(Encryption, ReadsAResponseOfThePeer) {
  EXPECT_EQ(decrypt_response(vector("response_body"), key()), vector("response_json"));
  // Whatever its first part is.
  const std::string part = vector("response_fernet_part");
  EXPECT_EQ(decrypt_response("." + part, key()), vector("response_json"));
  EXPECT_EQ(decrypt_response("???." + part, key()), vector("response_json"));
}

TEST(Encryption, ThereAndBack) {
  const RequestKeys asker = RequestKeys::random();
  const auto asked = encrypt_request("{\"q\":1}", *asker.of("c1"), another_key().public_key());
  ASSERT_TRUE(asked);
  const auto opened = decrypt_request(*asked, another_key());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->json, "{\"q\":1}");
  const auto answer = encrypt_response("{\"a\":2}", opened->key, another_key().public_key());
  ASSERT_TRUE(answer);
  EXPECT_EQ(decrypt_response(*answer, *asker.of("c1")), "{\"a\":2}");
  EXPECT_FALSE(decrypt_response(*answer, *asker.of("c2"))) << "each request has a key of its own";
  EXPECT_EQ(decrypt_returned(*asked, *asker.of("c1")), "{\"q\":1}")
      << "what the broker returns can be read by its sender";
}

TEST(Encryption, KeysAreDerivedAsHkdfHasIt) {
  RequestKeys::Secret secret;
  std::iota(secret.begin(), secret.end(), std::uint8_t{0});
  // From Python's cryptography: HKDF(SHA256, 32, salt=None, info=b"nuropb request key 1 " + correlation_id).
  EXPECT_EQ(RequestKeys(secret).of("f985036a41fd4e7ea48ca9c101788487")->text(),
            "jPitcSeKHLjvTRASi7llBfxrp4JHFVmSg5xBKdOY8y4=");
  EXPECT_EQ(RequestKeys(secret).of("")->text(), "O9Beop1veXD7Kn6lSb6-UYaEDvs0AJEslkPNeJkpkbY=");
}

TEST(Encryption, ASuccessorDerivesTheSameKey) {
  const RequestKeys::Secret secret{1, 2, 3};
  EXPECT_EQ(RequestKeys(secret).of("c")->text(), RequestKeys(secret).of("c")->text());
  EXPECT_NE(RequestKeys(secret).of("c")->text(), RequestKeys({1, 2, 4}).of("c")->text());
  EXPECT_NE(RequestKeys::random().of("c")->text(), RequestKeys::random().of("c")->text());
}

std::string refusal(const Result<OpenedRequest>& opened) { return opened ? "read" : opened.error().text(); }
std::string refusal(const Result<std::string>& opened) { return opened ? "read" : opened.error().text(); }

TEST(Encryption, SaysWhatIsWrongWithARequest) {
  const std::string body = vector("request_body"), sealed = body.substr(0, body.find('.')),
                    payload = body.substr(body.find('.') + 1);
  const std::string not_ours =
      "sealed key: was not sealed for this service's key (the requester may have an outdated description of the "
      "service)";
  ERR_clear_error();
  EXPECT_EQ(refusal(decrypt_request("", private_key())), "encrypted body: is not of the form KEY.PAYLOAD");
  EXPECT_EQ(refusal(decrypt_request(vector("request_json"), private_key())),
            "encrypted body: is not of the form KEY.PAYLOAD");
  EXPECT_EQ(refusal(decrypt_request(body, another_key())), not_ours);
  EXPECT_EQ(refusal(decrypt_request("." + payload, private_key())), not_ours);
  EXPECT_EQ(refusal(decrypt_request("AAAA." + payload, private_key())), not_ours);
  EXPECT_EQ(refusal(decrypt_request(base64::encode(std::string(256, '\0')) + "." + payload, private_key())), not_ours);
  EXPECT_EQ(refusal(decrypt_request(base64::encode(std::string(256, '\xff')) + "." + payload, private_key())),
            not_ours);
  EXPECT_EQ(refusal(decrypt_request("{}." + payload, private_key())), "sealed key: is not base64");
  EXPECT_EQ(refusal(decrypt_request(*public_key().seal("not a key") + "." + payload, private_key())),
            "Fernet key: is not 32 bytes in base64url");
  EXPECT_EQ(refusal(decrypt_request(*public_key().seal(fernet::Key::random().text()) + "." + payload, private_key())),
            "Fernet token: was created with another key, or modified");
  EXPECT_EQ(refusal(decrypt_request(sealed + ".", private_key())), "Fernet token: has 0 bytes");
  EXPECT_EQ(refusal(decrypt_request(sealed + ".{}", private_key())), "encrypted body: the payload is not base64");
  EXPECT_EQ(refusal(decrypt_request(body + "=", private_key())), "encrypted body: the payload is not base64");
  EXPECT_EQ(ERR_peek_error(), 0U) << "nothing is left in OpenSSL's queue";
}

TEST(Encryption, SaysWhatIsWrongWithAResponse) {
  EXPECT_EQ(refusal(decrypt_response(vector("response_json"), key())),
            "encrypted body: is not of the form KEY.PAYLOAD");
  EXPECT_EQ(refusal(decrypt_response(vector("response_body"), fernet::Key::random())),
            "Fernet token: was created with another key, or modified");
  EXPECT_EQ(refusal(decrypt_response("a.b.c", key())), "encrypted body: the payload is not base64");
}

TEST(Encryption, EveryTruncationIsRefused) {
  const std::string body = vector("request_body");
  const PrivateKey own = private_key();
  for (std::size_t n = 0; n < body.size(); n += n > 340 && n < 350 ? 1 : 7)
    ASSERT_FALSE(decrypt_request(body.substr(0, n), own)) << n;
}

}  // namespace
}  // namespace nuropb::mesh
