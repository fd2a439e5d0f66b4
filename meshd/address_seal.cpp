#include "meshd/address_seal.hpp"

#include <openssl/crypto.h>

namespace nuropb::meshd {
namespace {

constexpr std::size_t address_digits = 32, mac_digits = 16;

}  // namespace

std::string AddressSeal::seal(const ReturnAddress& address) const {
  std::string out = address.correlation_id();
  append_hex(out, mac_(out));
  return out;
}

std::optional<ReturnAddress> AddressSeal::open(std::string_view correlation_id) const {
  if (correlation_id.size() != address_digits + mac_digits) return {};
  const std::string_view text = correlation_id.substr(0, address_digits);
  const auto address = ReturnAddress::parse(text);
  if (!address || address->instance != instance_) return {};
  std::string expected;
  append_hex(expected, mac_(text));
  if (CRYPTO_memcmp(expected.data(), correlation_id.data() + address_digits, mac_digits) != 0) return {};
  return address;
}

}  // namespace nuropb::meshd
