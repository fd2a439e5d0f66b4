#pragma once
// A message's AMQP properties and routing, everything except the body (nuropb-wire.md, section 1, "Message
// properties").

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "meshd/mesh/wire.hpp"

namespace nuropb::mesh {

/// Views of the message, the settings and the queue's name, which must outlive it. Not movable, because it has views of
/// its own members.
struct Envelope {
  Envelope(const Outgoing& message, const TransportSettings& settings, std::string_view response_queue, SteadyTime now)
      : mandatory(message.type == MessageType::request || message.type == MessageType::command),
        exchange(mandatory                            ? std::string_view(settings.rpc_exchange)
                 : message.type == MessageType::event ? std::string_view(settings.events_exchange)
                                                      : std::string_view()) {
    constexpr std::int64_t longest_expiration_ms = UINT32_MAX;  // RabbitMQ's maximum
    if (message.deadline) {
      const auto left = std::chrono::duration_cast<milliseconds>(*message.deadline - now).count();
      expiration = std::to_string(std::clamp<std::int64_t>(left, 0, longest_expiration_ms));
    }
    properties = to_properties(message, response_queue, expiration);
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  const bool mandatory;
  const std::string_view exchange;
  std::string expiration;
  amqp::Properties properties;
};

}  // namespace nuropb::mesh
