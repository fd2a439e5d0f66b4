#include "meshd/translate.hpp"

#include <algorithm>
#include <array>

#include "common/consumer_messages.hpp"
#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/messages.hpp"
#include "common/trace.hpp"

namespace nuropb::meshd {
namespace {

std::string response_record(const ReturnAddress& to, std::string_view result, std::string_view error,
                            RequestOutcome outcome) {
  std::string payload;
  records::encode(records::Response{to.session, result, error, outcome}, payload);
  return payload;
}

/// The outcome of a request that the gateway refused.
RequestOutcome outcome_of(std::string_view error) {
  if (error == error_name::transport) return RequestOutcome::refused;
  if (error == error_name::not_delivered) return RequestOutcome::not_delivered;
  if (error == error_name::timeout) return RequestOutcome::timeout;
  if (error == error_name::authorization || error == error_name::authentication) return RequestOutcome::denied;
  return RequestOutcome::error;
}

std::string not_delivered(const mesh::Report& report) {
  // The broker returns a whole message, so the method's name is in it and need not be stored.
  std::string method = "?";
  if (const auto call = decode_call(report.returned_body, report.type)) method = call->method;
  return error_json(error_name::not_delivered,
                    "Service " + report.routing_key + " not available. unable to call method " + method);
}

/// The session as the transport's message source. Never 0, which means no source.
std::uint64_t source_of(const ReturnAddress& from) {
  return std::uint64_t{1} << 63U | std::uint64_t{from.slot} << 48U | std::uint64_t{from.generation} << 24U |
         from.session;
}

/// The parts that all messages of clients share.
Result<mesh::Outgoing> begin(std::string_view raw_trace_id, std::string_view traceparent, const ReturnAddress& from,
                             const AddressSeal& addresses, std::uint64_t deadline_ms, SteadyTime now,
                             const RequestSettings& settings) {
  json::Slice trace;
  if (const auto problem = json::validate(raw_trace_id, &trace, settings.json))
    return failure("trace_id is not JSON: " + problem->text(), "record of a consumer's message");
  if (!traceparent.empty() && !parse_traceparent(traceparent))
    return failure("traceparent is invalid", "record of a consumer's message");
  mesh::Outgoing out;
  out.traceparent = traceparent;
  out.correlation_id = addresses.seal(from);
  out.source = source_of(from);
  out.trace_id = trace.kind == json::Kind::string ? json::unescape(trace) : std::string(trace.text);
  out.deadline = std::min(from_ring_ms(deadline_ms), now + settings.max_ttl);
  return out;
}

/// {"user_id":"ann","Authorisation":"tok","trace_id":…}
std::string context_of(const StoredIdentity& identity, const ContextKeys& keys, bool with_token,
                       std::string_view raw_trace_id, std::string_view traceparent) {
  std::string out;
  out.reserve(128 + identity.user_id().size() + identity.token().size() + identity.claims().size() +
              raw_trace_id.size());
  out = '{';
  const auto put_text = [&](std::string_view key, std::string_view text) {
    if (key.empty()) return;
    out += key;
    json::append_quoted(out, text);
    out += ',';
  };
  put_text(keys.user.text(), identity.user_id());
  if (with_token) put_text(keys.token.text(), identity.token());
  if (!keys.claims.empty() && !identity.claims().empty())
    out.append(keys.claims.text()).append(identity.claims()).push_back(',');
  if (!traceparent.empty()) put_text(R"("traceparent":)", traceparent);
  out.append(R"("trace_id":)").append(raw_trace_id).push_back('}');
  return out;
}

}  // namespace

Result<mesh::Outgoing> to_outgoing(records::Type type, const records::Request& request, const Session& session,
                                   const ReturnAddress& from, const AddressSeal& addresses, SteadyTime now,
                                   const RequestSettings& settings) {
  const bool describe = type == records::Type::describe;
  // The slices are copied into the message, so a forged one could add members to it: each must be a single JSON value.
  const auto problem = describe ? std::nullopt : json::validate(request.params, nullptr, settings.json);
  if (problem) return failure("params are not JSON: " + problem->text(), "request record");
  if (request.service.empty() || request.method.empty() != describe)
    return failure("no service or no method", "request record");
  auto out = begin(request.trace_id, request.origin.traceparent, from, addresses, request.deadline_ms, now, settings);
  if (!out) return out;
  out->type = type == records::Type::command ? MessageType::command : MessageType::request;
  out->routing_key = request.service;
  if (out->type == MessageType::request) out->abandoned = session.gone();
  out->body =
      encode_call(out->type, {request.service, describe ? "nuropb_describe" : request.method,
                              describe ? "{}" : request.params, out->correlation_id,
                              context_of(session.identity, settings.context, true, request.trace_id, out->traceparent),
                              request.trace_id});
  return out;
}

Result<mesh::Outgoing> to_outgoing(const records::Event& event, const Session& session, const ReturnAddress& from,
                                   const AddressSeal& addresses, SteadyTime now, const RequestSettings& settings) {
  const json::Limits& limits = settings.json;
  if (event.topic.empty()) return failure("no topic", "event record");
  if (const auto problem = json::validate(event.event, nullptr, limits))
    return failure("event is not JSON: " + problem->text(), "event record");
  json::Slice target;
  if (const auto problem = json::validate(event.target, &target, limits))
    return failure("target is not JSON: " + problem->text(), "event record");
  if (target.kind != json::Kind::null && target.kind != json::Kind::array)
    return failure("target is neither null nor a list", "event record");
  auto out = begin(event.trace_id, event.origin.traceparent, from, addresses, event.deadline_ms, now, settings);
  if (!out) return out;
  out->type = MessageType::event;
  out->routing_key = event.topic;
  const std::string context = context_of(session.identity, settings.context, false, event.trace_id, out->traceparent);
  out->body = encode_event({event.topic, event.event, context, out->correlation_id, event.trace_id, event.target});
  return out;
}

std::optional<Returned> to_returned(const mesh::Incoming& message, const AddressSeal& addresses,
                                    std::uint32_t max_message, std::size_t json_depth) {
  const auto to = addresses.open(message.correlation_id);
  if (!to) return {};
  const auto refuse = [&](const std::string& why) {
    return Returned{*to, response_record(*to, "null", error_json(error_name::message, why), RequestOutcome::error)};
  };
  if (message.encrypted) return refuse("the response is encrypted, but the request was not");
  if (message.body.size() > max_message) {
    return refuse("the response has " + std::to_string(message.body.size()) +
                  " bytes, more than limits.message_bytes (" + std::to_string(max_message) + ")");
  }
  const auto body = decode_response(message.body, json::Limits{json_depth});
  if (!body) return refuse("the service's response could not be read: " + body.error().text());
  return Returned{*to, response_record(*to, body->result, body->error,
                                       body->error == "null" ? RequestOutcome::ok : RequestOutcome::error)};
}

std::optional<Returned> to_returned(const mesh::Report& report, const AddressSeal& addresses) {
  if (report.type == MessageType::response) return {};
  // Fast path: a confirmed request needs no response.
  if (report.outcome == mesh::Outcome::confirmed && report.type == MessageType::request) return {};
  const auto to = addresses.open(report.correlation_id);
  if (!to) return {};
  const char* const what = report.type == MessageType::request   ? "request"
                           : report.type == MessageType::command ? "command"
                                                                 : "event";
  switch (report.outcome) {
    case mesh::Outcome::confirmed: return done(*to);
    case mesh::Outcome::expired: return {};
    case mesh::Outcome::not_delivered:
      return Returned{*to, response_record(*to, "null", not_delivered(report), RequestOutcome::not_delivered)};
    case mesh::Outcome::refused:
      return refusal(*to, error_name::transport,
                     std::string(what) + " not sent to " + report.routing_key + ": " + report.detail);
    case mesh::Outcome::unknown:
      return Returned{
          *to, response_record(*to, "null",
                               unknown_outcome_json("the connection to the broker was lost while the " +
                                                    std::string(what) + " was being sent; it may have " +
                                                    (report.type == MessageType::event ? "been published" : "run")),
                               RequestOutcome::unknown)};
  }
  return {};
}

Returned answer_of(const ReturnAddress& to, std::string_view raw_result, std::string_view raw_error) {
  return {to,
          response_record(to, raw_result, raw_error, raw_error == "null" ? RequestOutcome::ok : RequestOutcome::error)};
}

Returned refusal(const ReturnAddress& to, std::string_view error, std::string_view description) {
  return {to, response_record(to, "null", error_json(error, description), outcome_of(error))};
}

Returned over_limit(const ReturnAddress& to, std::string_view description) {
  return {to, response_record(to, "null", over_limit_json(description), RequestOutcome::refused)};
}

Returned done(const ReturnAddress& to) { return done(to, "null"); }
Returned done(const ReturnAddress& to, std::string_view raw_result) {
  return {to, response_record(to, raw_result, "null", RequestOutcome::ok)};
}

namespace {

/// The publisher's traceparent: beside the message, or in its context, which a service copies from the request that it
/// handles.
std::string traceparent_of(const mesh::Incoming& message, std::string_view raw_context, std::size_t json_depth) {
  if (const auto parent = parse_traceparent(message.traceparent)) return parent->text();
  std::array<json::Field, 1> fields{{{"traceparent"}}};
  // Few events have one, and this check is much faster than parsing.
  if (raw_context.find(R"("traceparent")") == std::string_view::npos || !raw_context.starts_with('{') ||
      json::scan(raw_context, fields, nullptr, {json_depth}))
    return {};
  const json::Slice& said = fields[0].value;
  if (said.kind != json::Kind::string || !said.present() || !json::is_plain(said)) return {};
  const auto parent = parse_traceparent(json::plain(said));
  return parent ? parent->text() : std::string();
}

}  // namespace

Result<std::string> to_mesh_event(const mesh::Incoming& message, HandlerKind handler, std::uint32_t max_message,
                                  std::size_t json_depth, bool forward_context) {
  if (message.encrypted) return failure("is encrypted, which events must not be", "event");
  if (message.routing_key.size() > records::max_name) return failure("has a topic over 255 bytes", "event");
  if (message.body.size() > max_message) {
    return failure("has " + std::to_string(message.body.size()) + " bytes, more than limits.message_bytes (" +
                       std::to_string(max_message) + ")",
                   "event");
  }
  const auto body = decode_event(message.body, json::Limits{json_depth});
  if (!body) return tl::unexpected(body.error());
  if (EventTarget::most_users(body->target) > EventTarget::max_users)
    return failure("names more than " + std::to_string(EventTarget::max_users) + " users in its target", "event");
  const std::string traceparent = traceparent_of(message, body->context, json_depth);
  std::string payload;
  // The topic is the one that the broker matched; the publisher may have written another one into the body.
  records::encode(
      records::MeshEvent{message.routing_key, body->event, forward_context ? body->context : std::string_view(),
                         body->target, handler, traceparent},
      payload);
  return payload;
}

}  // namespace nuropb::meshd
