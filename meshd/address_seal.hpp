#pragma once
// Correlation ids that only this gateway can create: a ReturnAddress, and its MAC under a key that services do not
// have.
//
//   32 hex digits of ReturnAddress::correlation_id() | 16 hex digits of SipHash-2-4
//
// A service sees the id of each request that it receives, and addresses can be guessed from there: without the MAC, a
// service that was called once could forge responses to requests to other services. The address stays in the id, so
// meshd needs no table of requests (design.md, rule 4), and a restarted meshd has the same key
// (SealedTickets::key_for).
//
// SipHash is a MAC for short messages; 64 bits are enough, because each guess costs a message to our own response
// queue. Not thread-safe: owner thread, the ring loop.

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
  /// `instance` is the one whose addresses open() accepts.
  AddressSeal(const Key& key, std::uint32_t instance) : mac_(key), instance_(instance) {}

  [[nodiscard]] std::string seal(const ReturnAddress& address) const;
  /// Empty unless it was sealed under this key for this instance.
  [[nodiscard]] std::optional<ReturnAddress> open(std::string_view correlation_id) const;

 private:
  SipHash mac_;
  std::uint32_t instance_;
};

}  // namespace nuropb::meshd
