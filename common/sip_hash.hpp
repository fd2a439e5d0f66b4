#pragma once
// SipHash-2-4 of 64 bits under a key of 128: a MAC for short texts, and a hash for tables whose keys outsiders choose. Somebody
// who does not know the key can't find texts that meet more often than by chance, so nobody can fill one bucket of a table.
// Paper: https://www.aumasson.jp/siphash/siphash.pdf
//
// Ours, because each request needs two of them: by OpenSSL's EVP_MAC one takes 1,450 instructions, most of them not for the
// hash, and this one takes 150 (bench/instructions). A test compares it with OpenSSL's. Thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

class SipHash {
 public:
  using Key = std::array<std::uint8_t, 16>;
  /// Under a key that no other process has.
  SipHash();
  explicit SipHash(const Key& key);

  std::size_t operator()(std::string_view text) const;

 private:
  std::uint64_t key0_, key1_;
};

}  // namespace nuropb
