#pragma once
// The nuropb-gw protocol between a client and the gateway (nuropb-wire.md section 2): decodes and encodes messages.
// Pure; views point into the decoded text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/consumer_messages.hpp"
#include "common/json/scan.hpp"
#include "common/records.hpp"

namespace nuropb::edge {

/// Any of the verbs: request, command, describe, event, subscribe, unsubscribe, authorize, resume, ack.
struct ClientRequest {
  records::Type verb = records::Type::request;
  std::string service, method;  ///< request, command; describe has no method
  std::string token;      ///< for authorize, and for resume; empty in a resume: start numbering this session's messages
  std::uint64_t seq = 0;  ///< for ack, and for resume with a token: the last message received
  bool ack = false;       ///< an ack: `verb` is resume, and no response is expected
  std::string topic;      ///< event; or the pattern of subscribe and unsubscribe
  std::string_view params;           ///< any raw JSON, validated by the service only; for event: the event
  std::string_view target = "null";  ///< raw JSON: null, or the user ids that an event is addressed to
  std::string_view trace_id;         ///< raw JSON; empty: the client sent none
  std::optional<std::uint64_t> ttl_ms;
  std::string traceparent;  ///< W3C, in version 00's form; empty: the client sent no valid one
  bool idempotent = false;  ///< may be executed twice, so it is sent again if its outcome is unknown
};

/// An invalid message. Where nuropb-gw 0.1.4 responds, name and text are the same or similar; where it drops the
/// message silently, they are our own.
struct ClientMistake {
  std::string error;
  std::string description;
  std::string trace_id;  ///< raw JSON; empty: unknown
  /// A complete request with invalid members: as in 0.1.4, the error is sent in a response, which the client waits for.
  bool of_request = false;
};

using ClientMessage = std::variant<ClientRequest, ClientMistake>;
ClientMessage decode_client_message(std::string_view text, json::Limits limits);

/// {"error":…,"description":…,"trace_id":…?}: the shape of 0.1.4, without an envelope; a response if it was a request.
std::string encode_mistake(const ClientMistake& mistake);
/// The resume members of a hello; omitted without a token.
struct ResumeOffer {
  std::string_view token;
  std::uint32_t window_ms = 0;
};
std::string encode_hello(std::string_view session_id, std::string_view user_id, std::string_view raw_username,
                         const ResumeOffer& offer = {});
inline std::string encode_event(const records::MeshEvent& event) { return encode_consumer_event(event); }

}  // namespace nuropb::edge
