#pragma once
// SipHash-2-4 of 64 bits with a 128-bit key: a MAC for short texts, and a hash for tables whose keys untrusted peers
// choose. Without the key an attacker cannot find collisions, so it cannot fill one bucket of a table. Paper:
// https://www.aumasson.jp/siphash/siphash.pdf
//
// Our own implementation, because each request needs two hashes: OpenSSL's EVP_MAC takes 1,450 instructions each, most
// of them overhead, and this one takes 150 (bench/instructions). A test compares the two. Thread-safe.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nuropb {

class SipHash {
 public:
  using Key = std::array<std::uint8_t, 16>;
  /// Uses a key that is unique to this process.
  SipHash();
  explicit SipHash(const Key& key);

  std::size_t operator()(std::string_view text) const;

 private:
  std::uint64_t key0_, key1_;
};

}  // namespace nuropb
