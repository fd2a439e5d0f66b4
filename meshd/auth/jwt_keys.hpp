#pragma once
// Keys that verify JSON Web Tokens: from PEM, from a file of secrets, from a JSON Web Key Set (RFC 7517).
//
// Each key has a list of permitted algorithms, so that a public key can never be used as a secret. Only public members
// are ever passed on. Loading is pure and bounded; errors name the source and what is wrong, never the key.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd {

inline constexpr std::size_t max_jwks_bytes = 256 * 1024;
inline constexpr std::size_t max_jwt_keys = 64;

/// Keys of a set that are skipped. Issuers publish keys for any purpose (RFC 7517, section 5), so one unusable key must
/// not make the whole set unusable.
struct SkippedKeys {
  static constexpr std::size_t most_named = 16;
  std::size_t unusable = 0;            ///< too weak, malformed, of an unknown type, or one too many
  std::size_t not_for_signatures = 0;  ///< valid, but for another purpose: "use": "enc"
  /// Descriptions of the first ones: "key 2 ('old'): an RSA key has less than 2048 bits".
  std::vector<std::string> named{};

  [[nodiscard]] std::string text() const;
  bool operator==(const SkippedKeys&) const = default;
};

class JwtKey {
 public:
  enum class Kind : unsigned char { rsa, p256, p384, p521, secret, edwards };
  JwtKey();
  ~JwtKey();
  JwtKey(JwtKey&&) noexcept;

  Kind kind = Kind::rsa;
  std::string kid;  ///< empty if the key has none
  std::string alg;  ///< empty: any algorithm of its kind

  /// `token` is the compact form, `algorithm` the one in its header. Precondition: the algorithm fits this key's kind.
  [[nodiscard]] bool verifies(const std::string& token, std::string_view algorithm, std::string_view signing_input,
                              std::string_view signature) const;

 private:
  friend class JwtKeys;
  struct Material;
  std::unique_ptr<Material> material_;
};

class JwtKeys {
 public:
  /// Parses public keys and certificates in sequence.
  static Result<JwtKeys> from_pem(std::string_view text, const std::string& name);
  /// Parses secrets, one per line, of at least 32 bytes.
  static Result<JwtKeys> from_secrets(std::string_view text, const std::string& name);
  /// Parses a key set. Unusable keys and keys that are not for signatures are skipped; skipped() names them. A set
  /// without any usable key is an error. `secrets` false: symmetric keys are skipped as well, since they are never
  /// published.
  static Result<JwtKeys> from_jwks(std::string_view text, const std::string& name, bool secrets);

  Result<void> add(JwtKeys&& others, const std::string& name);
  /// Appends keys without checking the limit, because both sets are bounded.
  void join(const JwtKeys& others) { keys_.insert(keys_.end(), others.keys_.begin(), others.keys_.end()); }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] const SkippedKeys& skipped() const;
  /// The keys that fit the algorithm and, if the token has a kid, have that kid or none.
  [[nodiscard]] std::vector<const JwtKey*> candidates(std::string_view algorithm, std::string_view kid) const;
  /// Whether a key has exactly this kid.
  [[nodiscard]] bool has(std::string_view kid) const;

 private:
  std::vector<std::shared_ptr<const JwtKey>> keys_;
  // Null if none were skipped. Shared, because sets are copied for each token.
  std::shared_ptr<const SkippedKeys> skipped_;
};

}  // namespace nuropb::meshd
