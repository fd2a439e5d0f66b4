#include "meshd/mesh/wire.hpp"

namespace nuropb::mesh {

ReceivedProperties received_properties(const amqp_basic_properties_t& p) {
  ReceivedProperties out;
  if (p._flags & AMQP_BASIC_CORRELATION_ID_FLAG) out.correlation_id = amqp::view(p.correlation_id);
  if (p._flags & AMQP_BASIC_REPLY_TO_FLAG) out.reply_to = amqp::view(p.reply_to);
  if (p._flags & AMQP_BASIC_HEADERS_FLAG) {
    for (int i = 0; i < p.headers.num_entries; ++i) {
      const auto& entry = p.headers.entries[i];
      if (entry.value.kind == AMQP_FIELD_KIND_UTF8 || entry.value.kind == AMQP_FIELD_KIND_BYTES) {
        out.headers.emplace(amqp::view(entry.key), amqp::view(entry.value.value.bytes));
      }
    }
  }
  return out;
}

tl::expected<void, Malformed> read_properties(ReceivedProperties&& properties, Incoming& message) {
  const auto header = [&](std::string_view name) -> std::string {
    const auto found = properties.headers.find(name);
    return found == properties.headers.end() ? std::string() : found->second;
  };
  message.correlation_id = std::move(properties.correlation_id);
  message.reply_to = std::move(properties.reply_to);
  message.trace_id = header("trace_id");
  message.encrypted = header("encrypted") == "yes";
  const std::string type = header("nuropb_type");
  const auto known = message_type(type);
  if (known) message.type = *known;
  if (message.type == MessageType::event) message.traceparent = header("traceparent");
  if (const std::string version = header("nuropb_protocol"); version != protocol_version) {
    return tl::unexpected(
        Malformed{{version.empty() ? "is missing" : "'" + version.substr(0, 32) + "' is not supported",
                   "header nuropb_protocol", "supported: " + std::string(protocol_version)},
                  Refusal::protocol});
  }
  if (!known)
    return tl::unexpected(
        Malformed{{type.empty() ? "is missing" : "'" + type.substr(0, 32) + "' is unknown", "header nuropb_type", {}},
                  Refusal::type});
  return {};
}

amqp::Properties to_properties(const Outgoing& message, std::string_view reply_to, std::string_view expiration) {
  amqp::Properties out;
  out.correlation_id = message.correlation_id;
  if (message.type == MessageType::request || message.type == MessageType::command) {
    out.reply_to = reply_to;
    out.expiration = expiration;
  }
  if (message.expires) out.expiration = expiration;
  out.priority = message.priority;
  out.headers = {{"nuropb_protocol", protocol_version},
                 {"nuropb_version", peer_version},
                 {"nuropb_type", to_text(message.type)},
                 {"trace_id", message.trace_id},
                 {"encrypted", message.encrypted ? "yes" : ""}};
  if (!message.traceparent.empty()) out.headers.emplace_back("traceparent", message.traceparent);
  return out;
}

}  // namespace nuropb::mesh
