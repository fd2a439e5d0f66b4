// Encrypted bodies, as a service and as a requester parse them; and public keys, as a description may contain them. The
// key is that of tests/unit/data/encryption.json, so that the corpus contains bodies that can be decrypted.

#include <fstream>
#include <nlohmann/json.hpp>

#include "meshd/mesh/encryption.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

struct Known {
  mesh::PrivateKey own;
  fernet::Key key;
};

Known known() {
  std::ifstream file(NUROPB_SOURCE_DIR "/tests/unit/data/encryption.json");
  const auto vectors = nlohmann::json::parse(file);
  return {*mesh::PrivateKey::from_pem(vectors["private_key"].get<std::string>()),
          *fernet::Key::from_text(vectors["fernet_key"].get<std::string>())};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Known the = known();
  const auto input = fuzz::text(data, size);
  if (input.starts_with("-----BEGIN")) {
    if (const auto key = mesh::PublicKey::from_pem(input)) {
      (void)key->seal("text");
      fuzz::must(mesh::PublicKey::from_pem(key->pem()).has_value(), "a public key that we write can be read");
    }
    (void)mesh::PrivateKey::from_pem(input);
    return 0;
  }
  if (const auto json = mesh::decrypt_response(input, the.key); !json)
    fuzz::must(!json.error().what.empty(), "a refusal says why");
  if (const auto opened = mesh::decrypt_request(input, the.own)) {
    const auto again = mesh::encrypt_response(opened->json, opened->key, the.own.public_key());
    fuzz::must(again && mesh::decrypt_response(*again, opened->key) == opened->json,
               "an answer can be read with the request's key");
  } else {
    fuzz::must(!opened.error().what.empty(), "a refusal says why");
  }
  return 0;
}
