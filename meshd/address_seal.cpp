#include "meshd/address_seal.hpp"

#include <charconv>
#include <system_error>

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
  const char* const digits = correlation_id.data() + address_digits;
  std::uint64_t mac = 0;
  const auto [end, error] = std::from_chars(digits, digits + mac_digits, mac, 16);
  // Two numbers are compared in the same time, however many of their digits are the same.
  if (error != std::errc() || end != digits + mac_digits || mac != mac_(text)) return {};
  return address;
}

}  // namespace nuropb::meshd
