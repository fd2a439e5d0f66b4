#pragma once
// Timing and tracing data in records. Part of records.hpp.

#include <cstdint>
#include <string_view>

namespace nuropb::records {

/// The origin of a client's message in time and in traces. It is measured and passed on; no decision depends on it.
struct Origin {
  std::uint64_t sent_us = 0;  ///< when the edge processed it; latency.hpp, to_us
  /// How long the message had waited since it was read off the socket.
  std::uint32_t waited_us = 0;
  std::string_view traceparent{};  ///< W3C, as the client sent it; empty if it sent no valid one
};

/// What meshd has measured for a request.
struct Stages {
  /// When meshd received the response; latency.hpp, to_us. 0: nothing was measured.
  std::uint64_t taken_us = 0;
  std::uint32_t request_ring_us = 0, broker_us = 0, service_us = 0;
};

}  // namespace nuropb::records
