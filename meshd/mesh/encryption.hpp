#pragma once
// The encrypted bodies of NuroPb (nuropb-wire.md section 1, "Payload encryption"; header `encrypted: yes`):
//
//   b64( RSA-OAEP-SHA256-MGF1SHA256(service's public key, K) ) "." b64( Fernet(K, json) )
//
// K is a Fernet key of one request. The answer uses the same K; its first part is sealed to the service's own key, and
// the asker ignores it. Events are never encrypted: there is no one key for all who listen.
//
//   asker                                                  service
//   key  = keys.of(correlation_id)
//   body = encrypt_request(json, key, public_key)   ──►    opened = decrypt_request(body, private_key)
//   json = decrypt_response(body, key)              ◄──    body = encrypt_response(json, opened.key, own public key)
//
// Pure but for randomness and for PrivateKey::load_or_create. Values are immutable: usable from any thread. Bytes of
// peers are untrusted: every function says what is wrong with them, in words that hold no key and no plain text.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/fernet.hpp"
#include "common/result.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace nuropb::mesh {

/// The least RSA modulus that is taken or made, and the largest that is taken: an enormous one would be a way to keep
/// us busy.
inline constexpr int min_rsa_bits = 2048, max_rsa_bits = 8192;

class PublicKey {
 public:
  /// As `nuropb_describe` has it: SubjectPublicKeyInfo in PEM.
  static Result<PublicKey> from_pem(std::string_view pem);
  [[nodiscard]] std::string pem() const;
  /// base64 of the text sealed by RSA-OAEP.
  [[nodiscard]] Result<std::string> seal(std::string_view text) const;

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
 public:
  /// Takes a fraction of a second.
  static Result<PrivateKey> generate(int bits = min_rsa_bits);
  /// PKCS#8 or traditional PEM, without a passphrase.
  static Result<PrivateKey> from_pem(std::string_view pem);
  /// From a PEM file. Where there is none, one is made, with mode 0600; of several processes that do so at once, one
  /// wins and all use its key. A file that others may read or write is refused.
  static Result<PrivateKey> load_or_create(const std::string& path);

  [[nodiscard]] PublicKey public_key() const { return PublicKey(key_); }
  /// PKCS#8.
  [[nodiscard]] std::string pem() const;
  /// What seal() of the public key made.
  [[nodiscard]] Result<std::string> open(std::string_view sealed) const;

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

/// The asker's keys, without a table of them: HKDF-SHA256 of a secret and the correlation id. So whoever has the secret
/// (meshd after a crash, runtime_dir/secret) can read the answers to what its predecessor asked. A service learns the
/// key of its own request and nothing of any other.
class RequestKeys {
 public:
  using Secret = std::array<std::uint8_t, 32>;
  explicit RequestKeys(const Secret& secret) : secret_(secret) {}
  /// With a secret that nobody else has: for a process whose requests end with it.
  static RequestKeys random();
  [[nodiscard]] Result<fernet::Key> of(std::string_view correlation_id) const;

 private:
  Secret secret_;
};

Result<std::string> encrypt_request(std::string_view json, const fernet::Key& key, const PublicKey& service);
Result<std::string> decrypt_response(std::string_view body, const fernet::Key& key);
/// Also for what the broker returned undelivered: it is our own request, whose key we can derive.
inline Result<std::string> decrypt_returned(std::string_view body, const fernet::Key& key) {
  return decrypt_response(body, key);
}

struct OpenedRequest {
  std::string json;
  fernet::Key key;  ///< for the answer
};
Result<OpenedRequest> decrypt_request(std::string_view body, const PrivateKey& own);
inline Result<std::string> encrypt_response(std::string_view json, const fernet::Key& key, const PublicKey& own) {
  return encrypt_request(json, key, own);
}

}  // namespace nuropb::mesh
