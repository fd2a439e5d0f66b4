#include "meshd/mesh/encryption.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "common/base64.hpp"
#include "common/ids.hpp"
#include "common/openssl_errors.hpp"

namespace nuropb::mesh {
namespace {

struct Parts {
  std::string_view sealed_key, payload;
};

Result<Parts> split(std::string_view body) {
  const auto dot = body.find('.');
  if (dot == std::string_view::npos) return failure("is not of the form KEY.PAYLOAD", "encrypted body");
  return Parts{body.substr(0, dot), body.substr(dot + 1)};
}

Result<std::string> open_payload(std::string_view payload, const fernet::Key& key) {
  const auto token = base64::decode(payload);
  if (!token) return failure("the payload is not base64", "encrypted body");
  return fernet::decrypt(key, *token);
}

}  // namespace

RequestKeys RequestKeys::random() {
  Secret secret;
  random_bytes(secret.data(), secret.size());
  return RequestKeys(secret);
}

Result<fernet::Key> RequestKeys::of(std::string_view correlation_id) const {
  const OpensslErrors errors;
  std::string digest = "SHA256", info = "nuropb request key 1 ";
  info += correlation_id;
  auto secret = secret_;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
                                   OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                   OSSL_PARAM_construct_end()};
  static EVP_KDF* const hkdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> ctx(EVP_KDF_CTX_new(hkdf), &EVP_KDF_CTX_free);
  std::array<std::uint8_t, fernet::Key::size> derived{};
  const bool done = ctx && EVP_KDF_derive(ctx.get(), derived.data(), derived.size(), parameters) == 1;
  OPENSSL_cleanse(secret.data(), secret.size());
  if (!done) return failure("OpenSSL has no HKDF", "request key", "see its configuration of providers");
  const fernet::Key key(derived);
  OPENSSL_cleanse(derived.data(), derived.size());
  return key;
}

Result<std::string> encrypt_request(std::string_view json, const fernet::Key& key, const PublicKey& service) {
  std::string text = key.text();
  auto sealed = service.seal(text);
  OPENSSL_cleanse(text.data(), text.size());
  if (!sealed) return sealed;
  const auto token = fernet::encrypt(key, json);
  if (!token) return token;
  return *sealed + "." + base64::encode(*token);
}

Result<std::string> decrypt_response(std::string_view body, const fernet::Key& key) {
  const auto parts = split(body);
  if (!parts) return tl::unexpected(parts.error());
  return open_payload(parts->payload, key);
}

Result<OpenedRequest> decrypt_request(std::string_view body, const PrivateKey& own) {
  const auto parts = split(body);
  if (!parts) return tl::unexpected(parts.error());
  auto text = own.open(parts->sealed_key);
  if (!text) return tl::unexpected(text.error());
  const auto key = fernet::Key::from_text(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (!key) return tl::unexpected(key.error());
  auto json = open_payload(parts->payload, *key);
  if (!json) return tl::unexpected(json.error());
  return OpenedRequest{std::move(*json), *key};
}

}  // namespace nuropb::mesh
