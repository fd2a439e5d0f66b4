#include "edge/protocol/snorky_protocol.hpp"

#include "edge/protocol/snorky_message.hpp"

namespace nuropb::edge {
namespace {

void encode_error(std::string& out, std::string_view reference, std::string_view text) {
  out.assign(reference);
  json::append_quoted(out, text);
  out += "}}";
}

}  // namespace

std::string SnorkyProtocol::refusal(std::string_view text, std::string_view why) const {
  const SnorkyMessage message = decode_snorky(text, limits_);
  if (const auto* const call = std::get_if<SnorkyRequest>(&message))
    return encode_snorky_error(call->service, call->call_id, why);
  const auto& mistake = std::get<SnorkyMistake>(message);
  return encode_snorky_error(mistake.service, mistake.call_id, why);
}

void SnorkyProtocol::encode_interruption(std::string& out, std::string_view reference, Interruption) const {
  encode_error(out, reference, "The gateway was interrupted; the call may have run");
}

void SnorkyProtocol::encode_timeout(std::string& out, std::string_view reference, bool) const {
  encode_error(out, reference, "No answer in time; the call may have run");
}

std::string SnorkyProtocol::reference_of(std::string_view service, std::string_view raw_call_id) {
  std::string out = "{\"service\":" + json::quoted(service) + ",\"message\":{\"type\":\"error\",\"callId\":";
  return out.append(raw_call_id.empty() ? "null" : raw_call_id).append(",\"message\":");
}

}  // namespace nuropb::edge
