#pragma once
// The deadlines that edges write into their records, which are not trusted: none is later than request.max_ttl_ms from now.

#include <algorithm>
#include <cstdint>

#include "common/clock.hpp"

namespace nuropb::meshd {

class RequestDeadline {
 public:
  RequestDeadline(const Clock& clock, milliseconds longest) : clock_(clock), longest_(longest) {}
  /// `ring_ms` as in the record (to_ring_ms).
  [[nodiscard]] SteadyTime of(std::uint64_t ring_ms) const {
    return std::min(from_ring_ms(ring_ms), clock_.now() + longest_);
  }
  [[nodiscard]] milliseconds longest() const { return longest_; }

 private:
  const Clock& clock_;
  milliseconds longest_;
};

}  // namespace nuropb::meshd
