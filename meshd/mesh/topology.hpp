#pragma once
// The connection, exchanges, queues and bindings of a participant (protocol.md section 1, "Topology"). Declared idempotently;
// nothing is ever deleted.

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Channels of a participant's connection. A broker closes a channel for one mistake on it, so each trade has its own.
inline constexpr std::uint16_t publish_channel = 1, response_channel = 2, service_channel = 3, events_channel = 4;
inline constexpr std::size_t channels = 5;  ///< with channel 0, the connection's own

/// How a participant connects: times, TLS, and what the broker's list of connections says of it.
amqp::ConnectionSettings connection_settings(const TransportSettings& settings);

struct Topology {
  std::string service_queue, dead_letter_queue, response_queue;
  /// Queue of the events bound at run time. `run` tells one life of a process from the next: what an earlier one had
  /// bound is not known any more, and nobody deletes its queue but the broker, when it has expired.
  std::string events_queue;
  static Topology of(const TransportSettings& settings, const std::string& vhost, const std::string& run);
};

/// What makes a channel what it is, from opening it to consuming. Nothing for a channel that this participant has not.
/// The steps of the events channel end before its bindings: those change (event_bindings.hpp).
std::vector<amqp::Step> steps_of(std::uint16_t channel, const TransportSettings& settings, const Topology& topology);

/// Goes through the steps of all channels but the events', waiting for each answer.
Result<void> declare(amqp::Connection& connection, const TransportSettings& settings, const Topology& topology);

}  // namespace nuropb::mesh
