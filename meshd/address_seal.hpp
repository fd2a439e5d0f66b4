#pragma once
// Correlation ids that only this gateway can make: a ReturnAddress, and a MAC of it under a key that services do not have.
//
//   32 hex digits of ReturnAddress::correlation_id() | 16 hex digits of SipHash-2-4
//
// A service learns the id of each request that it is asked, and the address in it can be counted on from there: without the
// MAC, a service that was asked once could answer requests that others were asked. The address stays in the id, so meshd
// needs no table of what was asked (design.md, rule 4), and a successor of meshd has the key (SealedTickets::key_for).
//
// SipHash is a MAC for short messages; 64 bits are enough, for each guess is a message to our own response queue.
// Not thread-safe: owner thread, the ring loop.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ids.hpp"
#include "common/sip_hash.hpp"

namespace nuropb::meshd {

class AddressSeal {
 public:
  using Key = SipHash::Key;
  /// `instance`: of the addresses that open() accepts.
  AddressSeal(const Key& key, std::uint32_t instance) : mac_(key), instance_(instance) {}

  [[nodiscard]] std::string seal(const ReturnAddress& address) const;
  /// Nothing, unless it was sealed under this key for this instance.
  [[nodiscard]] std::optional<ReturnAddress> open(std::string_view correlation_id) const;

 private:
  SipHash mac_;
  std::uint32_t instance_;
};

}  // namespace nuropb::meshd
