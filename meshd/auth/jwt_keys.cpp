#include "meshd/auth/jwt_keys.hpp"

#include <cjose/cjose.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base64.hpp"
#include "common/openssl_errors.hpp"
#include "meshd/auth/unpadded.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using Kind = JwtKey::Kind;

// 2048 to 8192 bits: smaller ones are weak, larger ones slow.
constexpr std::size_t min_rsa_bytes = 256, max_rsa_bytes = 1024;
constexpr std::size_t min_secret_bytes = 32;

template <auto free_it>
struct Free {
  template <class T>
  void operator()(T* p) const {
    free_it(p);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Jwk = std::unique_ptr<cjose_jwk_t, Free<cjose_jwk_release>>;
using Jws = std::unique_ptr<cjose_jws_t, Free<cjose_jws_release>>;

const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool fits(Kind kind, std::string_view algorithm) {
  switch (kind) {
    case Kind::rsa: return algorithm.starts_with("RS") || algorithm.starts_with("PS");
    case Kind::p256: return algorithm == "ES256";
    case Kind::p384: return algorithm == "ES384";
    case Kind::p521: return algorithm == "ES512";
    case Kind::secret: return algorithm.starts_with("HS");
    case Kind::edwards: return algorithm == "EdDSA";
  }
  return false;
}

std::string number_of(EVP_PKEY* key, const char* parameter, std::size_t width) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, parameter, &raw) != 1) return {};
  const Number number(raw);
  std::string out(std::max<std::size_t>(width, static_cast<std::size_t>(BN_num_bytes(number.get()))), '\0');
  if (BN_bn2binpad(number.get(), reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) < 0)
    return {};
  return unpadded::encode(out);
}

/// Converts a key to a JSON Web Key, so that keys of all sources share one code path.
Result<json> jwk_of(EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return json{{"kty", "RSA"},
                  {"n", number_of(key, OSSL_PKEY_PARAM_RSA_N, 0)},
                  {"e", number_of(key, OSSL_PKEY_PARAM_RSA_E, 0)}};
    case EVP_PKEY_EC: {
      char group[64] = {};
      std::size_t size = 0;
      EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, &size);
      const std::string_view name(group, size);
      const std::pair<const char*, std::size_t> curve = name == "prime256v1"  ? std::pair{"P-256", 32UL}
                                                        : name == "secp384r1" ? std::pair{"P-384", 48UL}
                                                        : name == "secp521r1" ? std::pair{"P-521", 66UL}
                                                                              : std::pair{"", 0UL};
      if (curve.second == 0)
        return failure("a key is on the curve " + std::string(name), "", "supported are P-256, P-384 and P-521");
      return json{{"kty", "EC"},
                  {"crv", curve.first},
                  {"x", number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, curve.second)},
                  {"y", number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve.second)}};
    }
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: {
      std::size_t size = 0;
      EVP_PKEY_get_raw_public_key(key, nullptr, &size);
      std::string raw(size, '\0');
      EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size);
      return json{{"kty", "OKP"},
                  {"crv", EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? "Ed25519" : "Ed448"},
                  {"x", unpadded::encode(raw)}};
    }
    default: return failure("a key is of a type that no algorithm uses");
  }
}

}  // namespace

struct JwtKey::Material {
  Jwk jwk;       // all kinds except edwards
  Pkey edwards;  // cjose 0.6 does not support EdDSA
};

JwtKey::JwtKey() : material_(std::make_unique<Material>()) {}
JwtKey::~JwtKey() = default;
JwtKey::JwtKey(JwtKey&&) noexcept = default;

bool JwtKey::verifies(const std::string& token, std::string_view algorithm, std::string_view signing_input,
                      std::string_view signature) const {
  const OpensslErrors errors;
  if (kind == Kind::edwards) {
    const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    return context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, material_->edwards.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signing_input),
                            signing_input.size()) == 1;
  }
  cjose_err error{};
  const Jws jws(cjose_jws_import(token.data(), token.size(), &error));
  if (!jws) return false;
  // The checked algorithm must be the one that is used, because two JSON parsers have read the header.
  const char* const used = cjose_header_get(cjose_jws_get_protected(jws.get()), CJOSE_HDR_ALG, &error);
  return used && algorithm == used && cjose_jws_verify(jws.get(), material_->jwk.get(), &error);
}

namespace {

/// Why a key is skipped.
struct Why {
  std::string text;
  bool not_for_signatures = false;
};
tl::unexpected<Why> unusable(std::string text) { return tl::unexpected(Why{std::move(text), false}); }
tl::unexpected<Why> not_for_signatures(std::string text) { return tl::unexpected(Why{std::move(text), true}); }

/// Untrusted text for the log, shortened.
std::string shortened(const std::string& text) { return "'" + text.substr(0, 64) + "'"; }

/// Whether a member exists and is not a string.
bool odd(const json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && !found->is_string();
}

/// Checks the members that all key types share: their form, and whether the key is for signatures.
std::optional<Why> unfit(const json& entry) {
  if (!entry.is_object()) return Why{"it is not an object"};
  for (const char* name : {"kty", "use", "alg", "kid", "crv"}) {
    if (odd(entry, name)) return Why{std::string("its '") + name + "' is not a text"};
  }
  if (const std::string use = text_member(entry, "use"); !use.empty() && use != "sig")
    return Why{"its 'use' is " + shortened(use), true};
  if (const auto uses = entry.find("key_ops"); uses != entry.end()) {
    if (!uses->is_array()) return Why{"its 'key_ops' is not a list"};
    if (std::find(uses->begin(), uses->end(), json("verify")) == uses->end())
      return Why{"its 'key_ops' does not have \"verify\"", true};
  }
  return {};
}

/// Whether that key type has a signature algorithm of that name; RSA-OAEP, for example, is not one.
bool signs(Kind kind, std::string_view algorithm) {
  if (kind == Kind::edwards) return algorithm.starts_with("Ed");  // "EdDSA", and the names of RFC 9864
  return algorithm.size() == 5 && fits(kind, algorithm);
}

struct UsableKey {
  Kind kind = Kind::rsa;
  Jwk jwk;
  Pkey edwards;
};

tl::expected<UsableKey, Why> make_key(const json& source, bool secrets) {
  const OpensslErrors errors;
  const std::string kty = text_member(source, "kty"), crv = text_member(source, "crv");
  UsableKey out;
  json clean{{"kty", kty}};
  const auto take = [&](const char* name) -> std::optional<std::string> {
    const std::string text = text_member(source, name);
    auto raw = text.empty() ? std::nullopt : unpadded::decode(text);
    if (raw) clean[name] = text;
    return raw;
  };
  if (kty == "RSA") {
    const auto n = take("n"), e = take("e");
    if (!n || !e) return unusable("an RSA key has no usable 'n' and 'e'");
    std::string_view modulus = *n;
    while (!modulus.empty() && modulus.front() == '\0') modulus.remove_prefix(1);
    if (modulus.size() < min_rsa_bytes) return unusable("an RSA key has less than 2048 bits");
    if (modulus.size() > max_rsa_bytes || e->size() > 8)
      return unusable("an RSA key has more than 8192 bits, or an exponent of more than 64");
    if (e->empty() || (static_cast<unsigned char>(e->back()) & 1) == 0 || *e == std::string(1, '\1'))
      return unusable("an RSA key has an invalid exponent");
    out.kind = Kind::rsa;
  } else if (kty == "EC") {
    if (crv == "P-256") out.kind = Kind::p256;
    else if (crv == "P-384") out.kind = Kind::p384;
    else if (crv == "P-521") out.kind = Kind::p521;
    else return unusable("its curve " + shortened(crv) + " is unknown");
    clean["crv"] = crv;
    if (!take("x") || !take("y")) return unusable("an EC key has no usable 'x' and 'y'");
  } else if (kty == "oct") {
    if (!secrets) return unusable("it is a secret, and this set is public");
    const auto k = take("k");
    if (!k) return unusable("a symmetric key has no usable 'k'");
    if (k->size() < min_secret_bytes) return unusable("a secret has less than 32 bytes");
    out.kind = Kind::secret;
  } else if (kty == "OKP") {
    if (crv == "X25519" || crv == "X448") return not_for_signatures("its curve is " + shortened(crv));
    if (crv != "Ed25519" && crv != "Ed448") return unusable("its curve " + shortened(crv) + " is unknown");
    const auto x = take("x");
    if (x)
      out.edwards.reset(EVP_PKEY_new_raw_public_key(crv == "Ed448" ? EVP_PKEY_ED448 : EVP_PKEY_ED25519, nullptr,
                                                    bytes(*x), x->size()));
    if (!out.edwards) return unusable("an " + crv + " key has no usable 'x'");
    out.kind = Kind::edwards;
  } else {
    return unusable(kty.empty() ? "it has no 'kty'" : "its type " + shortened(kty) + " is unknown");
  }
  if (const std::string alg = text_member(source, "alg"); !alg.empty() && !signs(out.kind, alg))
    return not_for_signatures("its 'alg' is " + shortened(alg));
  if (out.kind == Kind::edwards) return out;
  cjose_err error{};
  const std::string text = clean.dump();
  out.jwk.reset(cjose_jwk_import(text.data(), text.size(), &error));
  if (!out.jwk) return unusable("a key of type " + kty + " is not usable");
  return out;
}

void skip(SkippedKeys& skipped, std::size_t number, const json& entry, const Why& why) {
  ++(why.not_for_signatures ? skipped.not_for_signatures : skipped.unusable);
  if (skipped.named.size() == SkippedKeys::most_named) return;
  const std::string kid = entry.is_object() ? text_member(entry, "kid") : std::string();
  skipped.named.push_back("key " + std::to_string(number) + (kid.empty() ? "" : " (" + shortened(kid) + ")") + ": " +
                          why.text);
}

}  // namespace

std::string SkippedKeys::text() const {
  std::string out;
  for (const std::string& one : named) out += (out.empty() ? "" : "; ") + one;
  const std::size_t more = unusable + not_for_signatures - named.size();
  return more == 0 ? out : out + "; and " + std::to_string(more) + " more";
}

const SkippedKeys& JwtKeys::skipped() const {
  static const SkippedKeys none;
  return skipped_ ? *skipped_ : none;
}

Result<JwtKeys> JwtKeys::from_jwks(std::string_view text, const std::string& name, bool secrets) {
  if (text.size() > max_jwks_bytes) return failure("is larger than 256 KiB", name);
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded()) return failure("is not JSON", name);
  const auto list = root.is_object() ? root.find("keys") : root.end();
  if (!root.is_object() || list == root.end() || !list->is_array())
    return failure("is not a JSON Web Key Set: no list 'keys'", name);
  JwtKeys out;
  SkippedKeys skipped;
  std::size_t number = 0;
  for (const json& entry : *list) {
    ++number;
    if (const auto why = unfit(entry)) {
      skip(skipped, number, entry, *why);
      continue;
    }
    if (out.size() == max_jwt_keys) {
      skip(skipped, number, entry, {"the set has more than 64 keys"});
      continue;
    }
    auto made = make_key(entry, secrets);
    if (!made) {
      skip(skipped, number, entry, made.error());
      continue;
    }
    JwtKey fresh;
    fresh.kind = made->kind;
    fresh.kid = text_member(entry, "kid");
    fresh.alg = text_member(entry, "alg");
    fresh.material_->jwk = std::move(made->jwk);
    fresh.material_->edwards = std::move(made->edwards);
    out.keys_.push_back(std::make_shared<const JwtKey>(std::move(fresh)));
  }
  if (out.keys_.empty()) return failure(list->empty() ? "has no keys" : "has no usable key: " + skipped.text(), name);
  if (number > out.size()) out.skipped_ = std::make_shared<const SkippedKeys>(std::move(skipped));
  return out;
}

/// Loads a set of our own keys. Each must be usable, because the operator wrote the file.
static Result<JwtKeys> all_of(const json& list, const std::string& name, bool secrets) {
  if (list.size() > max_jwt_keys) return failure("has more than 64 keys", name);
  auto keys = JwtKeys::from_jwks(json{{"keys", list}}.dump(), name, secrets);
  if (keys && !keys->skipped().named.empty()) return failure(keys->skipped().text(), name);
  return keys;
}

Result<JwtKeys> JwtKeys::from_pem(std::string_view text, const std::string& name) {
  const OpensslErrors errors;
  const Bio in(BIO_new_mem_buf(text.data(), static_cast<int>(std::min<std::size_t>(text.size(), max_jwks_bytes))));
  json list = json::array();
  for (;;) {
    char* raw_name = nullptr;
    char* raw_header = nullptr;
    unsigned char* raw_data = nullptr;
    long size = 0;
    if (!in || PEM_read_bio(in.get(), &raw_name, &raw_header, &raw_data, &size) != 1) break;
    const std::string kind(raw_name);
    const std::string der(reinterpret_cast<char*>(raw_data), static_cast<std::size_t>(size));
    OPENSSL_free(raw_name);
    OPENSSL_free(raw_header);
    OPENSSL_free(raw_data);
    const unsigned char* at = bytes(der);
    Pkey key;
    if (kind == PEM_STRING_PUBLIC) {
      key.reset(d2i_PUBKEY(nullptr, &at, size));
    } else if (kind == PEM_STRING_RSA_PUBLIC) {
      key.reset(d2i_PublicKey(EVP_PKEY_RSA, nullptr, &at, size));
    } else if (kind == PEM_STRING_X509) {
      const Certificate certificate(d2i_X509(nullptr, &at, size));
      if (certificate) key.reset(X509_get_pubkey(certificate.get()));
    } else if (kind.ends_with("PRIVATE KEY")) {
      return failure("holds a private key", name, "meshd only verifies: use the public key");
    } else if (kind == "EC PARAMETERS") {
      continue;
    } else {
      return failure("holds a " + kind, name, "supported are public keys and certificates");
    }
    if (!key) return failure("has a " + kind + " that can't be read", name);
    auto jwk = jwk_of(key.get());
    if (!jwk) return failure(jwk.error().what, name, jwk.error().hint);
    list.push_back(std::move(*jwk));
  }
  if (list.empty()) return failure("holds no PEM public key or certificate", name);
  return all_of(list, name, false);
}

Result<JwtKeys> JwtKeys::from_secrets(std::string_view text, const std::string& name) {
  json list = json::array();
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    list.push_back({{"kty", "oct"}, {"k", unpadded::encode(line)}});
  }
  if (list.empty()) return failure("is empty", name);
  return all_of(list, name, true);
}

Result<void> JwtKeys::add(JwtKeys&& others, const std::string& name) {
  if (size() + others.size() > max_jwt_keys) return failure("makes more than 64 keys in total", name);
  for (auto& key : others.keys_) keys_.push_back(std::move(key));
  if (others.skipped_) skipped_ = std::move(others.skipped_);  // at most one of the sources is a set
  return {};
}

std::vector<const JwtKey*> JwtKeys::candidates(std::string_view algorithm, std::string_view kid) const {
  std::vector<const JwtKey*> out;
  for (const auto& key : keys_) {
    if (!fits(key->kind, algorithm)) continue;
    if (!key->alg.empty() && key->alg != algorithm && !(key->kind == Kind::edwards && key->alg.starts_with("Ed")))
      continue;
    if (!kid.empty() && !key->kid.empty() && key->kid != kid) continue;
    out.push_back(key.get());
  }
  return out;
}

bool JwtKeys::has(std::string_view kid) const {
  for (const auto& key : keys_) {
    if (key->kid == kid) return true;
  }
  return false;
}

}  // namespace nuropb::meshd
