#pragma once
// NuroPb's message properties and headers (nuropb-wire.md section 1, "Message properties"): pure functions over plain
// values, so that any bytes a broker may hand over can be fed to them in tests.

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

/// Properties of a message that came in, copied out of rabbitmq-c's memory. A header that is not a string is absent.
struct ReceivedProperties {
  std::string correlation_id, reply_to;
  std::map<std::string, std::string, std::less<>> headers;
};
ReceivedProperties received_properties(const amqp_basic_properties_t& properties);

/// Fills type, ids and flags of `message` from its properties. An error names the header that is wrong; what could be
/// read is filled in even then, so that a request can be answered.
tl::expected<void, Malformed> read_properties(ReceivedProperties&& properties, Incoming& message);

/// Headers have to fit into one frame; a longer trace id is echoed in the body of an answer alone.
inline constexpr std::size_t longest_trace_header = 4096;

/// What a message is published with. Views point into `message`, `reply_to` and `expiration`.
amqp::Properties to_properties(const Outgoing& message, std::string_view reply_to, std::string_view expiration);

}  // namespace nuropb::mesh
