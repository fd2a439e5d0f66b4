#pragma once
// The nuropb-gw protocol between a consumer and the gateway (nuropb-wire.md section 2): text in, values out, and back.
// Pure; views point into the text that was decoded.

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
  std::string service, method;       ///< request, command; describe has no method
  std::string token;                 ///< authorize; of resume, empty: to be kept from now on
  std::uint64_t seq = 0;             ///< ack, and resume with a token: the last message that was seen
  bool ack = false;                  ///< then the verb is resume, and nobody waits for an answer
  std::string topic;                 ///< event; or the pattern of subscribe and unsubscribe
  std::string_view params;           ///< raw JSON, whatever it is: the service judges it. Of an event: the event
  std::string_view target = "null";  ///< raw JSON: null, or the user ids that an event is for
  std::string_view trace_id;         ///< raw JSON; empty: the consumer sent none
  std::optional<std::uint64_t> ttl_ms;
  std::string traceparent;  ///< W3C, in version 00's form; empty: the consumer sent none that is valid
  bool idempotent = false;  ///< may run twice, so it is sent again where it is not known whether it ran
};

/// A message that can't be taken. For what nuropb-gw 0.1.4 answers, name and text are its own or near it; for what it
/// drops in silence they are ours.
struct ClientMistake {
  std::string error;
  std::string description;
  std::string trace_id;  ///< raw JSON; empty: not known
  /// A whole request whose members can't be used: 0.1.4 answers it as a request, and so does a consumer expect it.
  bool of_request = false;
};

using ClientMessage = std::variant<ClientRequest, ClientMistake>;
ClientMessage decode_client_message(std::string_view text, json::Limits limits);

/// {"error":…,"description":…,"trace_id":…?}: the shape of 0.1.4, which has no envelope; a response for what was a request.
std::string encode_mistake(const ClientMistake& mistake);
/// What a hello says of resuming; without a token, nothing.
struct ResumeOffer {
  std::string_view token;
  std::uint32_t window_ms = 0;
};
std::string encode_hello(std::string_view session_id, std::string_view user_id, std::string_view raw_username,
                         const ResumeOffer& offer = {});
inline std::string encode_event(const records::MeshEvent& event) { return encode_consumer_event(event); }

}  // namespace nuropb::edge
