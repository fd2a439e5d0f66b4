#include "common/ids.hpp"

#include <sys/random.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstdlib>

namespace nuropb {
namespace {

constexpr char digits[] = "0123456789abcdef";

/// What a digit stands for, by its character; negative: it is none.
constexpr auto nibbles = [] {
  std::array<std::int8_t, 256> out{};
  out.fill(-1);
  for (std::int8_t value = 0; value < 16; ++value) out[static_cast<unsigned char>(digits[value])] = value;
  return out;
}();

void put_hex(std::string& out, std::uint64_t value, unsigned width) {
  out.resize(out.size() + width);
  for (char* at = out.data() + out.size(); width > 0; --width, value >>= 4) *--at = digits[value & 15];
}

/// Lower case only: one value has one spelling.
std::optional<std::uint64_t> get_hex(std::string_view text) {
  std::uint64_t value = 0;
  int wrong = 0;  // negative once a character was no digit
  for (const char c : text) {
    const int n = nibbles[static_cast<unsigned char>(c)];
    wrong |= n;
    value = value << 4 | static_cast<std::uint64_t>(n & 15);
  }
  if (wrong < 0) return {};
  return value;
}

}  // namespace

void random_bytes(void* out, std::size_t size) {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const ssize_t n = ::getrandom(at, size, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      std::abort();  // a kernel without randomness: no id and no key of ours would be worth anything
    }
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) put_hex(out, static_cast<unsigned char>(c), 2);
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return {};
  std::string out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto byte = get_hex(text.substr(i, 2));
    if (!byte) return {};
    out.push_back(static_cast<char>(*byte));
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
  out.reserve(32);
  put_hex(out, instance, 8);
  put_hex(out, slot, 2);
  put_hex(out, generation, 6);
  put_hex(out, session, 6);
  put_hex(out, sequence, 10);
  return out;
}

std::optional<ReturnAddress> ReturnAddress::parse(std::string_view id) {
  if (id.size() != 32) return {};
  const auto high = get_hex(id.substr(0, 16));
  const auto low = get_hex(id.substr(16));
  if (!high || !low) return {};
  ReturnAddress out;
  out.instance = static_cast<std::uint32_t>(*high >> 32);
  out.slot = static_cast<std::uint32_t>(*high >> 24 & max_slot);
  out.generation = static_cast<std::uint32_t>(*high & max_generation);
  out.session = static_cast<std::uint32_t>(*low >> 40 & max_session);
  out.sequence = *low & max_sequence;
  return out;
}

std::uint32_t ReturnAddress::instance_hash(std::string_view instance_id) {
  // FNV-1a: it has to be the same in every version of us, and nothing secret hangs on it.
  std::uint32_t hash = 2166136261U;
  for (const char c : instance_id) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

}  // namespace nuropb
