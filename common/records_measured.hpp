#pragma once
// What travels with records for being measured and traced; nothing is decided by it. Part of records.hpp.

#include <cstdint>
#include <string_view>

namespace nuropb::records {

/// Where a message of a consumer's comes from, in time and in traces. Nothing is decided by it: it is measured, and passed on.
struct Origin {
  std::uint64_t sent_us = 0;       ///< when the edge took it up; latency.hpp, to_us
  std::uint32_t waited_us = 0;     ///< how long before that its message was read off the socket
  std::string_view traceparent{};  ///< W3C, as the consumer sent it; empty: it sent none that is valid
};

/// What meshd has measured of a request.
struct Stages {
  std::uint64_t taken_us = 0;  ///< when it took the answer; latency.hpp, to_us. 0: nothing was measured
  std::uint32_t request_ring_us = 0, broker_us = 0, service_us = 0;
};

}  // namespace nuropb::records
