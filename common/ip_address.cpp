#include "common/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace nuropb {
namespace {

constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress masked(IpAddress address, unsigned bits) {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    const unsigned kept = bits <= i * 8 ? 0 : std::min(8u, bits - i * 8);
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00u >> kept));
  }
  return address;
}

}  // namespace

IpAddress IpAddress::of_v4(const std::uint8_t* four) {
  IpAddress out;
  std::copy(mapped.begin(), mapped.end(), out.bytes.begin());
  std::copy_n(four, 4, out.bytes.begin() + 12);
  return out;
}

IpAddress IpAddress::of_v6(const std::uint8_t* sixteen) {
  IpAddress out;
  std::copy_n(sixteen, 16, out.bytes.begin());
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return {};
  std::copy(text.begin(), text.end(), terminated.begin());
  std::array<std::uint8_t, 16> raw{};
  if (::inet_pton(AF_INET, terminated.data(), raw.data()) == 1) return of_v4(raw.data());
  if (::inet_pton(AF_INET6, terminated.data(), raw.data()) == 1) return of_v6(raw.data());
  return {};
}

bool IpAddress::is_v4() const { return std::equal(mapped.begin(), mapped.end(), bytes.begin()); }

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (is_v4()) ::inet_ntop(AF_INET, bytes.data() + 12, out.data(), out.size());
  else ::inet_ntop(AF_INET6, bytes.data(), out.data(), out.size());
  return out.data();
}

IpAddress IpAddress::host() const { return is_v4() ? *this : masked(*this, 64); }

bool AddressBlocks::add(std::string_view block) {
  const auto slash = block.find('/');
  const auto address = IpAddress::parse(block.substr(0, slash));
  if (!address) return false;
  // "::ffff:10.0.0.0/104" is IPv4 written as IPv6, so its prefix counts from the first of the 128 bits.
  const bool short_form = address->is_v4() && block.find(':') == std::string_view::npos;
  unsigned bits = short_form ? 32 : 128;
  if (slash != std::string_view::npos) {
    const std::string_view digits = block.substr(slash + 1);
    unsigned given = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || given > bits) return false;
    bits = given;
  }
  if (short_form) bits += 96;
  if (!(masked(*address, bits) == *address)) return false;
  blocks_.push_back({*address, bits});
  return true;
}

bool AddressBlocks::contains(const IpAddress& address) const {
  return std::any_of(blocks_.begin(), blocks_.end(),
                     [&](const Block& block) { return masked(address, block.bits) == block.address; });
}

}  // namespace nuropb
