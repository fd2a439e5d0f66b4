#pragma once
// NuroPb's message properties and headers (nuropb-wire.md section 1, "Message properties"): pure functions over plain
// values, so that tests can feed them any bytes that a broker may deliver.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/messages.hpp"
#include "common/result.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Properties of a received message, copied out of rabbitmq-c's memory. Headers that are not strings are omitted.
struct ReceivedProperties {
  std::string correlation_id, reply_to;
  std::map<std::string, std::string, std::less<>> headers;
};
ReceivedProperties received_properties(const amqp_basic_properties_t& properties);

/// Fills in type, ids and flags of `message` from its properties. An error names the invalid header; whatever could be
/// read is filled in even then, so that a request can be answered.
tl::expected<void, Malformed> read_properties(ReceivedProperties&& properties, Incoming& message);

/// Headers have to fit into one frame; a longer trace id is only echoed in the response's body.
inline constexpr std::size_t longest_trace_header = 4096;

/// The properties to publish a message with. Views point into `message`, `reply_to` and `expiration`.
amqp::Properties to_properties(const Outgoing& message, std::string_view reply_to, std::string_view expiration);

}  // namespace nuropb::mesh
