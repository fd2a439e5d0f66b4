#include "common/ids.hpp"

#include <endian.h>
#include <sys/random.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace nuropb {
namespace {

constexpr char digits[] = "0123456789abcdef";
constexpr std::uint64_t ones = 0x0101010101010101;

/// The hex digits for eight values below 16, one per byte, computed for all bytes of the word at once.
std::uint64_t spelled(std::uint64_t nibbles) {
  const std::uint64_t letters = (nibbles + 6 * ones) >> 4 & ones;  // 1 in each byte that is 10 or more
  return nibbles + '0' * ones + letters * ('a' - '9' - 1);
}

void put_eight(char* out, std::uint32_t value) {
  std::uint64_t nibbles = value;  // spread until each nibble has a byte of its own
  nibbles = (nibbles | nibbles << 16) & 0x0000'ffff'0000'ffff;
  nibbles = (nibbles | nibbles << 8) & 0x00ff'00ff'00ff'00ff;
  nibbles = (nibbles | nibbles << 4) & 0x0f * ones;
  const std::uint64_t text = htobe64(spelled(nibbles));
  std::memcpy(out, &text, sizeof text);
}

/// Returns false if a character is not a lower-case hex digit. The parsed value is correct if formatting it gives the
/// same text; an invalid character may parse as up to 24, which does not carry into another byte.
inline bool get_eight(const char* in, std::uint32_t& value) {
  std::uint64_t text = 0;
  std::memcpy(&text, in, sizeof text);
  text = be64toh(text);
  const std::uint64_t letters = text >> 6 & ones;
  std::uint64_t nibbles = (text & 0x0f * ones) + letters * 9;
  if ((nibbles & 0xf0 * ones) != 0 || spelled(nibbles) != text) return false;
  nibbles = (nibbles | nibbles >> 4) & 0x00ff'00ff'00ff'00ff;
  nibbles = (nibbles | nibbles >> 8) & 0x0000'ffff'0000'ffff;
  value = static_cast<std::uint32_t>(nibbles | nibbles >> 16);
  return true;
}

/// The value of a hex digit; negative if it is not one.
int nibble(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

}  // namespace

void random_bytes(void* out, std::size_t size) {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const ssize_t n = ::getrandom(at, size, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      std::abort();  // without randomness no id or key would be safe
    }
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

void append_hex(std::string& out, std::uint64_t value) {
  const std::size_t at = out.size();
  out.resize(at + 16);
  put_eight(out.data() + at, static_cast<std::uint32_t>(value >> 32));
  put_eight(out.data() + at + 8, static_cast<std::uint32_t>(value));
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return {};
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return {};
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return out;
}

std::string random_hex32() { return SessionId::random().hex(); }

std::string SessionId::hex() const { return to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}); }

std::optional<SessionId> SessionId::from_hex(std::string_view text) {
  const auto raw = text.size() == 32 ? nuropb::from_hex(text) : std::nullopt;
  if (!raw) return {};
  SessionId id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) id.bytes[i] = static_cast<std::uint8_t>((*raw)[i]);
  return id;
}

SessionId SessionId::random() {
  SessionId id;
  random_bytes(id.bytes.data(), id.bytes.size());
  return id;
}

std::string ReturnAddress::correlation_id() const {
  assert(slot <= max_slot && generation <= max_generation && session <= max_session && sequence <= max_sequence);
  std::string out;
  out.reserve(32 + 16);  // a MAC often follows (AddressSeal)
  out.resize(32);
  put_eight(out.data(), instance);
  put_eight(out.data() + 8, slot << 24 | generation);
  put_eight(out.data() + 16, session << 8 | static_cast<std::uint32_t>(sequence >> 32));
  put_eight(out.data() + 24, static_cast<std::uint32_t>(sequence));
  return out;
}

std::optional<ReturnAddress> ReturnAddress::parse(std::string_view id) {
  if (id.size() != 32) return {};
  std::array<std::uint32_t, 4> words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!get_eight(id.data() + 8 * i, words[i])) return {};
  }
  return ReturnAddress{words[0], words[1] >> 24, words[1] & max_generation, words[2] >> 8,
                       std::uint64_t{words[2] & 0xff} << 32 | words[3]};
}

ReturnAddressHash::ReturnAddressHash() {
  random_bytes(&a_, sizeof a_);
  random_bytes(&b_, sizeof b_);
}

std::size_t ReturnAddressHash::operator()(const ReturnAddress& address) const {
  const std::uint64_t x = std::uint64_t{address.generation} << 32 | address.session << 8 | address.slot;
  const std::uint64_t y = std::uint64_t{address.instance} << 40 ^ address.sequence;
  // A product of 128 bits, folded: without the key, colliding addresses cannot be found.
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(x ^ a_) * static_cast<Wide>(y ^ b_);
  return static_cast<std::size_t>(product ^ product >> 64);
}

std::uint32_t ReturnAddress::instance_hash(std::string_view instance_id) {
  // FNV-1a: the hash must be the same in every version, and it needs no secrecy.
  std::uint32_t hash = 2166136261U;
  for (const char c : instance_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

}  // namespace nuropb
