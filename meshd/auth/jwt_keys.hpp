#pragma once
// Keys that verify JSON Web Tokens: from PEM, from lines of secrets, from a JSON Web Key Set (RFC 7517).
//
// Each key knows for which algorithms it may be used, so that a public key can never be taken for a secret. Only public
// members are ever handed on. Loading is pure and bounded; errors name the source and what is wrong, never the key.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd {

inline constexpr std::size_t max_jwks_bytes = 256 * 1024;
inline constexpr std::size_t max_jwt_keys = 64;

/// Keys of a set that are left out, since a set is written by others and has what it has (RFC 7517, section 5): one key
/// that can't be used must not take the good ones along.
struct SkippedKeys {
  static constexpr std::size_t most_named = 16;
  std::size_t unusable = 0;            ///< too weak, malformed, of an unknown type, or one too many
  std::size_t not_for_signatures = 0;  ///< in order, and meant for something else: "use": "enc"
  std::vector<std::string> named{};    ///< "key 2 ('old'): an RSA key has less than 2048 bits"; the first ones

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
  std::string kid;  ///< empty: it has none
  std::string alg;  ///< empty: any that fits its kind

  /// `token` is the whole compact form, `algorithm` what its header says; they fit this key's kind.
  [[nodiscard]] bool verifies(const std::string& token, std::string_view algorithm, std::string_view signing_input,
                              std::string_view signature) const;

 private:
  friend class JwtKeys;
  struct Material;
  std::unique_ptr<Material> material_;
};

class JwtKeys {
 public:
  /// Public keys and certificates, one after the other.
  static Result<JwtKeys> from_pem(std::string_view text, const std::string& name);
  /// One a line, of at least 32 bytes.
  static Result<JwtKeys> from_secrets(std::string_view text, const std::string& name);
  /// Keys that can't be used, and those that are not for signatures, are left out: skipped() names them. A set without
  /// any usable key is an error. `secrets` false: symmetric keys are left out, too, since they are never published.
  static Result<JwtKeys> from_jwks(std::string_view text, const std::string& name, bool secrets);

  Result<void> add(JwtKeys&& others, const std::string& name);
  /// Beside these, without a bound: two bounded sets.
  void join(const JwtKeys& others) { keys_.insert(keys_.end(), others.keys_.begin(), others.keys_.end()); }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] const SkippedKeys& skipped() const;
  /// Those that fit the algorithm and, if the token names a key, that key or one without a name.
  [[nodiscard]] std::vector<const JwtKey*> candidates(std::string_view algorithm, std::string_view kid) const;
  /// True if one has this very name.
  [[nodiscard]] bool has(std::string_view kid) const;

 private:
  std::vector<std::shared_ptr<const JwtKey>> keys_;
  std::shared_ptr<const SkippedKeys> skipped_;  // empty: none. Shared, since sets are copied for each token
};

}  // namespace nuropb::meshd
