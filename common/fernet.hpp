#pragma once
// Fernet tokens (github.com/fernet/spec, version 0x80), as Python's `cryptography` writes and reads them:
//
//   base64url( 0x80 | seconds since 1970, 8 bytes big-endian | IV 16 | AES-128-CBC, PKCS#7 | HMAC-SHA256 of all before )
//
// Pure except for the short encrypt(), which uses randomness and the time of day. Safe on any input; the MAC is
// compared in constant time before anything is decrypted. No age limit is checked, because AMQP expiration limits a
// message's life.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/result.hpp"

namespace nuropb::fernet {

/// 32 bytes: the first half signs, the second half encrypts. The destructor wipes them. Never log a key.
class Key {
 public:
  static constexpr std::size_t size = 32;
  explicit Key(std::span<const std::uint8_t, size> bytes);
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();
  static Key random();
  /// Parses 44 characters of base64url.
  static Result<Key> from_text(std::string_view text);
  [[nodiscard]] std::string text() const;

  [[nodiscard]] const std::uint8_t* signing() const { return bytes_.data(); }
  [[nodiscard]] const std::uint8_t* encryption() const { return bytes_.data() + size / 2; }

 private:
  std::array<std::uint8_t, size> bytes_;
};

using Iv = std::array<std::uint8_t, 16>;

/// Encrypts with the current time and a random IV. Fails only for more than a gigabyte, or without OpenSSL's ciphers.
Result<std::string> encrypt(const Key& key, std::string_view plain);
/// The same with both values given, for tests against known tokens. An IV must not be used twice with one key.
Result<std::string> encrypt(const Key& key, std::string_view plain, std::uint64_t unix_seconds, const Iv& iv);

/// The plain text, or what is wrong with the token.
Result<std::string> decrypt(const Key& key, std::string_view token);

}  // namespace nuropb::fernet
