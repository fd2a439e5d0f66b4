#pragma once
// The encrypted bodies of NuroPb (nuropb-wire.md section 1, "Payload encryption"; header `encrypted: yes`):
//
//   b64( RSA-OAEP-SHA256-MGF1SHA256(service's public key, K) ) "." b64( Fernet(K, json) )
//
// K is a Fernet key of one request. The response uses the same K; its first part is sealed with the service's own key,
// and the requester ignores it. Events are never encrypted, because their subscribers share no key.
//
//   requester                                              service
//   key  = keys.of(correlation_id)
//   body = encrypt_request(json, key, public_key)   ──►    opened = decrypt_request(body, private_key)
//   json = decrypt_response(body, key)              ◄──    body = encrypt_response(json, opened.key, own public key)
//
// Pure, except for randomness and PrivateKey::load_or_create. Values are immutable and usable from any thread. Input of
// peers is untrusted: every function reports what is wrong with it, in a text without key or plain text.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/fernet.hpp"
#include "common/result.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace nuropb::mesh {

/// Minimum RSA modulus that is accepted or generated, and the maximum that is accepted: an enormous one would be a
/// denial of service.
inline constexpr int min_rsa_bits = 2048, max_rsa_bits = 8192;

class PublicKey {
 public:
  /// SubjectPublicKeyInfo in PEM, as in `nuropb_describe`.
  static Result<PublicKey> from_pem(std::string_view pem);
  [[nodiscard]] std::string pem() const;
  /// The text sealed with RSA-OAEP, in base64.
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
  /// Reads a PEM file. If it does not exist, a key is generated and stored with mode 0600; if several processes do that
  /// at once, one wins and all use its key. A file that other users may read or write is refused.
  static Result<PrivateKey> load_or_create(const std::string& path);

  [[nodiscard]] PublicKey public_key() const { return PublicKey(key_); }
  /// PKCS#8.
  [[nodiscard]] std::string pem() const;
  /// Decrypts the result of the public key's seal().
  [[nodiscard]] Result<std::string> open(std::string_view sealed) const;

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

/// Keys of our requests, derived instead of stored: HKDF-SHA256 of a secret and the correlation id. So a restarted
/// process with the same secret (meshd: runtime_dir/secret) can decrypt responses to its predecessor's requests. A
/// service learns the key of its own request and of no other.
class RequestKeys {
 public:
  using Secret = std::array<std::uint8_t, 32>;
  explicit RequestKeys(const Secret& secret) : secret_(secret) {}
  /// Uses a random secret, for a process whose requests end with it.
  static RequestKeys random();
  [[nodiscard]] Result<fernet::Key> of(std::string_view correlation_id) const;

 private:
  Secret secret_;
};

Result<std::string> encrypt_request(std::string_view json, const fernet::Key& key, const PublicKey& service);
Result<std::string> decrypt_response(std::string_view body, const fernet::Key& key);
/// Decrypts a message that the broker returned as undelivered: it is our own request, so its key can be derived.
inline Result<std::string> decrypt_returned(std::string_view body, const fernet::Key& key) {
  return decrypt_response(body, key);
}

struct OpenedRequest {
  std::string json;
  fernet::Key key;  ///< for the response
};
Result<OpenedRequest> decrypt_request(std::string_view body, const PrivateKey& own);
inline Result<std::string> encrypt_response(std::string_view json, const fernet::Key& key, const PublicKey& own) {
  return encrypt_request(json, key, own);
}

}  // namespace nuropb::mesh
