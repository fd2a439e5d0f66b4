#include "meshd/translate.hpp"

#include <algorithm>

#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

std::string response_record(const ReturnAddress& to, std::string_view result, std::string_view error) {
  std::string payload;
  records::encode(records::Response{to.session, result, error}, payload);
  return payload;
}

std::optional<ReturnAddress> ours(const std::string& correlation_id, std::uint32_t instance) {
  auto to = ReturnAddress::parse(correlation_id);
  if (!to || to->instance != instance) return {};
  return to;
}

std::string not_delivered(const mesh::Report& report) {
  // The broker returns a message whole, so the method's name comes back with it and need not be remembered.
  std::string method = "?";
  if (const auto call = decode_call(report.returned_body, MessageType::request)) method = call->method;
  return error_json(error_name::not_delivered,
                    "Service " + report.routing_key + " not available. unable to call method " + method);
}

}  // namespace

std::string context_head(const Identity& identity, std::string_view token_key) {
  std::string out = "\"user_id\":" + json::quoted(identity.user_id) + ",";
  if (!token_key.empty()) {
    json::append_quoted(out, token_key);
    out += ':';
    json::append_quoted(out, identity.token);
    out += ',';
  }
  return out;
}

Result<mesh::Outgoing> to_outgoing(const records::Request& request, const Session& session, const ReturnAddress& from,
                                   SteadyTime now, const RequestLimits& limits) {
  // The slices go into the message as they are, so a forged one could add members to it: each must be one JSON value.
  const json::Limits depth{limits.json_depth};
  if (const auto problem = json::validate(request.params, nullptr, depth)) return failure("params are not JSON: " + problem->text(), "request record");
  json::Slice trace;
  if (const auto problem = json::validate(request.trace_id, &trace, depth)) return failure("trace_id is not JSON: " + problem->text(), "request record");
  if (request.service.empty() || request.method.empty()) return failure("no service or no method", "request record");

  mesh::Outgoing out;
  out.type = MessageType::request;
  out.routing_key = request.service;
  out.correlation_id = from.correlation_id();
  out.trace_id = trace.kind == json::Kind::string ? json::unescape(trace) : std::string(trace.text);
  out.deadline = std::min(from_ring_ms(request.deadline_ms), now + limits.max_ttl);

  std::string context = "{" + session.context_head + "\"trace_id\":";
  context += request.trace_id;
  context += '}';
  out.body = encode_call(MessageType::request, {std::string(request.service), std::string(request.method), request.params,
                                                out.correlation_id, context, request.trace_id});
  return out;
}

std::optional<Returned> to_returned(const mesh::Incoming& message, std::uint32_t instance, std::uint32_t max_message,
                                    std::size_t json_depth) {
  const auto to = ours(message.correlation_id, instance);
  if (!to) return {};
  const auto refuse = [&](const std::string& why) {
    return Returned{*to, response_record(*to, "null", error_json(error_name::message, why))};
  };
  if (message.encrypted) return refuse("the response is encrypted, but the request was not");
  if (message.body.size() > max_message) {
    return refuse("the response has " + std::to_string(message.body.size()) + " bytes, more than limits.message_bytes (" +
                  std::to_string(max_message) + ")");
  }
  const auto body = decode_response(message.body, json::Limits{json_depth});
  if (!body) return refuse("the service's response could not be read: " + body.error().text());
  return Returned{*to, response_record(*to, body->result, body->error)};
}

std::optional<Returned> to_returned(const mesh::Report& report, std::uint32_t instance) {
  if (report.type != MessageType::request) return {};
  const auto to = ours(report.correlation_id, instance);
  if (!to) return {};
  switch (report.outcome) {
    case mesh::Outcome::confirmed:
    case mesh::Outcome::expired: return {};
    case mesh::Outcome::not_delivered: return Returned{*to, response_record(*to, "null", not_delivered(report))};
    case mesh::Outcome::refused:
      return Returned{*to, response_record(*to, "null", error_json(error_name::transport, "not sent to service " + report.routing_key + ": " + report.detail))};
    case mesh::Outcome::unknown:
      return Returned{*to, response_record(*to, "null", unknown_outcome_json("the connection to the broker was lost while the request was being sent; it may have run"))};
  }
  return {};
}

Returned to_returned(const mesh::ServiceError& error, const ReturnAddress& to) {
  return {to, response_record(to, "null", error_json(error.name, error.description))};
}

}  // namespace nuropb::meshd
