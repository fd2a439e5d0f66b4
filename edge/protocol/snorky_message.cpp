#include "edge/protocol/snorky_message.hpp"

#include <array>

#include "common/byte_order_mark.hpp"
#include "common/records.hpp"
#include "common/trace.hpp"

namespace nuropb::edge {
namespace {

using json::Kind;

/// The service's error text for a command that cannot exist.
constexpr std::string_view unknown_command = "Unknown command";

}  // namespace

SnorkyMessage decode_snorky(std::string_view text, json::Limits limits) {
  std::array<json::Field, 3> call{{{"command"}, {"params"}, {"callId"}}};
  std::array<json::Field, 3> envelope{{{"service"}, {"message", {}, call}, {"traceparent"}}};
  json::Slice root;
  if (const auto problem = json::scan(without_byte_order_mark(text), envelope, &root, limits))
    return SnorkyMistake{"Invalid JSON: " + problem->text(), {}, {}};
  const auto& [service, message, traceparent] = envelope;
  const auto& [command, params, call_id] = call;

  SnorkyRequest request;
  SnorkyMistake mistake;
  const auto wrong = [&](std::string_view what) {
    mistake.text = "Invalid message: " + std::string(what);
    return mistake;
  };
  if (root.kind != Kind::object) return wrong("not an object");
  if (!service.value.present()) return wrong("no 'service'");
  if (service.value.kind != Kind::string) return wrong("'service' is not a string");
  request.service = json::unescape(service.value);
  if (request.service.empty() || request.service.size() > records::max_name)
    return wrong("'service' is empty, or longer than 255 bytes");
  mistake.service = request.service;
  if (!message.value.present()) return wrong("no 'message'");
  if (message.value.kind != Kind::object) return wrong("'message' is not an object");
  if (call_id.value.text.size() > records::max_trace_id) return wrong("'callId' is longer than 1024 bytes");
  mistake.call_id = std::string(call_id.value.text);
  if (!command.value.present()) return wrong("no 'command'");
  if (!params.value.present()) return wrong("no 'params'");
  if (command.value.kind == Kind::string) request.command = json::unescape(command.value);
  if (request.command.empty() || request.command.size() > records::max_name) {
    mistake.text = unknown_command;
    return mistake;
  }
  request.call_id = call_id.value.text;
  request.params = params.value.text;
  request.traceparent = traceparent_of(traceparent.value);
  return request;
}

std::string encode_snorky_error(std::string_view service, std::string_view raw_call_id, std::string_view text) {
  std::string out = "{\"service\":";
  json::append_quoted(out, service.empty() ? "gateway" : service);
  out.append(",\"message\":{\"type\":\"error\",\"callId\":")
      .append(raw_call_id.empty() ? "null" : raw_call_id)
      .append(",\"message\":");
  json::append_quoted(out, text);
  return out += "}}";
}

}  // namespace nuropb::edge
