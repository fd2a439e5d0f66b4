#include "common/sip_hash.hpp"

#include <bit>
#include <cstring>

#include "common/ids.hpp"

namespace nuropb {
namespace {

SipHash::Key random_key() {
  SipHash::Key key{};
  random_bytes(key.data(), key.size());
  return key;
}

/// Up to eight bytes as a number, the first byte lowest.
std::uint64_t little_endian(const void* from, std::size_t size = sizeof(std::uint64_t)) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t out = 0;
  if (size > 0) std::memcpy(&out, from, size);
  return out;
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

SipHash::SipHash() : SipHash(random_key()) {}

SipHash::SipHash(const Key& key) : key0_(little_endian(key.data())), key1_(little_endian(key.data() + 8)) {}

std::size_t SipHash::operator()(std::string_view text) const {
  State state{key0_ ^ 0x736f6d6570736575, key1_ ^ 0x646f72616e646f6d, key0_ ^ 0x6c7967656e657261,
              key1_ ^ 0x7465646279746573};
  const std::uint64_t length = text.size();
  for (; text.size() >= 8; text.remove_prefix(8)) state.take(little_endian(text.data()));
  state.take(length << 56 | little_endian(text.data(), text.size()));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  // The result is read big-endian, because correlation ids of earlier versions of meshd must stay valid.
  return __builtin_bswap64(state.v0 ^ state.v1 ^ state.v2 ^ state.v3);
}

}  // namespace nuropb
