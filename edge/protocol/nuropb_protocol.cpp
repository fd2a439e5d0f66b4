#include "edge/protocol/nuropb_protocol.hpp"

#include "common/error_names.hpp"
#include "common/messages.hpp"

namespace nuropb::edge {

std::string NuropbProtocol::hello(std::string_view session_id, std::string_view user_id, std::string_view raw_username,
                                  const ResumeOffer& offer) const {
  return encode_hello(session_id, user_id, raw_username, offer);
}

/// Only the rates of one socket are enforced before a message is processed.
std::string NuropbProtocol::refusal(std::string_view text, std::string_view why) const {
  const ClientMessage message = decode_client_message(text, limits_);
  if (const auto* const mistake = std::get_if<ClientMistake>(&message))
    return encode_mistake({std::string(error_name::transport), std::string(why), mistake->trace_id});
  const auto& trace_id = std::get<ClientRequest>(message).trace_id;
  std::string out;
  encode_response(out, trace_id.empty() ? "null" : trace_id, "null", over_limit_json(why));
  return out;
}

void NuropbProtocol::encode_interruption(std::string& out, std::string_view reference, Interruption why) const {
  encode_response(out, reference, "null",
                  unknown_outcome_json(why == Interruption::mesh_lost
                                           ? "the gateway's connection to the mesh was lost; the request may have run"
                                           : "the gateway is stopping; the request may have run"));
}

void NuropbProtocol::encode_timeout(std::string& out, std::string_view reference, bool subscribing) const {
  encode_response(out, reference, "null",
                  error_json(error_name::timeout,
                             subscribing ? "no answer in time; not subscribed" : "no answer in time; it may have run"));
}

}  // namespace nuropb::edge
