#pragma once
// The exchanges, queues and bindings of a participant (protocol.md section 1, "Topology"). Declared idempotently;
// nothing is ever deleted.

#include <cstdint>
#include <string>

#include "common/result.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Channels of a participant's connection. A broker closes a channel for one mistake on it, so each trade has its own.
inline constexpr std::uint16_t publish_channel = 1, response_channel = 2, service_channel = 3;

struct Topology {
  std::string service_queue, dead_letter_queue, response_queue;
  static Topology of(const TransportSettings& settings, const std::string& vhost);
};

/// Opens the channels, declares, binds and consumes.
Result<void> declare(amqp::Connection& connection, const TransportSettings& settings, const Topology& topology);

}  // namespace nuropb::mesh
