#include "edge/protocol/client_message.hpp"

#include <array>

#include "common/byte_order_mark.hpp"
#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "common/records.hpp"
#include "common/trace.hpp"

namespace nuropb::edge {
namespace {

using json::Kind;

std::string_view python_type(Kind kind) {
  switch (kind) {
    case Kind::array: return "list";
    case Kind::string: return "str";
    case Kind::number: return "int";
    case Kind::boolean: return "bool";
    case Kind::null: return "NoneType";
    default: return "dict";
  }
}

/// The required members of each message type.
struct Verb {
  std::string_view name;
  records::Type type;
  bool service, method, topic, event, token = false;  // params accompany method
};
constexpr Verb verbs[] = {
    {"request", records::Type::request, true, true, false, false},
    {"command", records::Type::command, true, true, false, false},
    {"describe", records::Type::describe, true, false, false, false},
    {"event", records::Type::event, false, false, true, true},
    {"subscribe", records::Type::subscribe, false, false, true, false},
    {"unsubscribe", records::Type::unsubscribe, false, false, true, false},
    {"authorize", records::Type::authorize, false, false, false, false, true},
    {"resume", records::Type::resume, false, false, false, false},
    {"ack", records::Type::resume, false, false, false, false},
};
const Verb* verb_of(std::string_view name) {
  for (const Verb& verb : verbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

ClientMistake no_attribute(Kind kind, std::string trace_id = {}) {
  return {"AttributeError",
          "Error decoding JSON: '" + std::string(python_type(kind)) + "' object has no attribute 'get'",
          std::move(trace_id)};
}

}  // namespace

ClientMessage decode_client_message(std::string_view text, json::Limits limits) {
  std::array<json::Field, 12> payload{{{"service"},
                                       {"method"},
                                       {"params"},
                                       {"trace_id"},
                                       {"ttl"},
                                       {"topic"},
                                       {"event"},
                                       {"target"},
                                       {"idempotent"},
                                       {"token"},
                                       {"seq"},
                                       {"traceparent"}}};
  std::array<json::Field, 2> message{{{"type"}, {"payload", {}, payload}}};
  json::Slice root;
  if (const auto problem = json::scan(without_byte_order_mark(text), message, &root, limits)) {
    return ClientMistake{"JSONDecodeError", "Error decoding JSON: " + problem->text(), {}};
  }
  if (root.kind != Kind::object) return no_attribute(root.kind);
  const auto& [type, body] = message;
  const auto& [service, method, params, trace, ttl, topic, event, target, idempotent, token, seq, traceparent] =
      payload;

  const auto mistake = [raw = trace.value.text](std::string_view name, std::string description) {
    return ClientMistake{std::string(name), std::move(description),
                         raw.size() <= records::max_trace_id ? std::string(raw) : std::string()};
  };
  const auto unusable = [&mistake](std::string description) {
    ClientMistake out = mistake(error_name::validation, std::move(description));
    out.of_request = true;
    return out;
  };
  if (!type.value.present() || type.value.kind == Kind::null)
    return mistake(error_name::validation, "Message type is not defined");
  if (!body.value.present() || body.value.kind == Kind::null)
    return mistake(error_name::validation, "Message payload is not defined");
  const Verb* const verb =
      type.value.kind == Kind::string
          ? verb_of(json::is_plain(type.value) ? json::plain(type.value) : json::unescape(type.value))
          : nullptr;
  if (!verb)
    return mistake(error_name::validation, "Unknown message type " + std::string(type.value.text.substr(0, 64)));
  if (body.value.kind != Kind::object) return no_attribute(body.value.kind);

  ClientRequest request;
  request.verb = verb->type;
  const auto missing = [&](const json::Field& field) {
    return mistake("KeyError", "Error decoding JSON: '" + std::string(field.name) + "'");
  };
  for (const auto& [field, needed] :
       {std::pair(&service, verb->service), std::pair(&method, verb->method), std::pair(&params, verb->method),
        std::pair(&topic, verb->topic), std::pair(&event, verb->event), std::pair(&token, verb->token)}) {
    if (needed && !field->value.present()) return missing(*field);
  }
  struct Name {
    const json::Field& field;
    bool needed;
    std::string& to;
  };
  for (const auto& [found, needed, to] :
       {Name{service, verb->service, request.service}, Name{method, verb->method, request.method},
        Name{topic, verb->topic, request.topic}, Name{token, verb->token, request.token}}) {
    if (!needed) continue;
    const json::Field& field = found;
    const auto named = [&field] { return "'" + std::string(field.name) + "'"; };
    if (field.value.kind != Kind::string) return unusable(named() + " is not a string");
    to = json::unescape(field.value);
    if (to.empty()) return unusable(named() + " is empty");
    if (verb->token && to.size() > records::max_credential) return unusable("'token' is longer than 16 KiB");
    if (!verb->token && to.size() > records::max_name) return unusable(named() + " is longer than 255 bytes");
  }
  if (verb->type == records::Type::resume) {
    request.ack = verb->name == "ack";
    if (!request.ack && token.value.present() && token.value.kind != Kind::null) {
      if (token.value.kind != Kind::string) return unusable("'token' is not a string");
      request.token = json::unescape(token.value);
      if (request.token.empty()) return unusable("'token' is empty");
    }
    if (request.ack || !request.token.empty()) {
      if (!seq.value.present()) return missing(seq);
      const auto number = json::as_unsigned(seq.value);
      if (!number) return unusable("'seq' is not a whole number");
      request.seq = *number;
    }
  }
  if (trace.value.text.size() > records::max_trace_id) return unusable("'trace_id' is longer than 1024 bytes");
  if (ttl.value.present() && ttl.value.kind != Kind::null) {
    request.ttl_ms = json::as_duration(ttl.value);
    if (!request.ttl_ms) return unusable("'ttl' is not a whole number of milliseconds");
  }
  if (idempotent.value.present() && idempotent.value.kind != Kind::null) {
    if (idempotent.value.kind != Kind::boolean) return unusable("'idempotent' is neither true nor false");
    request.idempotent = idempotent.value.text == "true";
  }
  if (verb->event && target.value.present()) {
    if (target.value.kind != Kind::null && target.value.kind != Kind::array)
      return unusable("'target' is neither null nor a list of user ids");
    request.target = target.value.text;
  }
  request.traceparent = traceparent_of(traceparent.value);
  request.params = verb->event ? event.value.text : params.value.text;
  request.trace_id = trace.value.text;
  return request;
}

std::string encode_mistake(const ClientMistake& mistake) {
  std::string out;
  if (mistake.of_request) {
    encode_response(out, mistake.trace_id.empty() ? "null" : mistake.trace_id, "null",
                    error_json(mistake.error, mistake.description));
    return out;
  }
  out = "{\"error\":";
  json::append_quoted(out, mistake.error);
  out += ",\"description\":";
  json::append_quoted(out, mistake.description);
  if (!mistake.trace_id.empty()) out += ",\"trace_id\":" + mistake.trace_id;
  return out + "}";
}

std::string encode_hello(std::string_view session_id, std::string_view user_id, std::string_view raw_username,
                         const ResumeOffer& offer) {
  std::string out = R"({"type":"event","payload":{"topic":"hello","event":{"session_id":)";
  json::append_quoted(out, session_id);
  out += ",\"user_id\":";
  json::append_quoted(out, user_id);
  out += ",\"username\":";
  out += raw_username;
  if (!offer.token.empty()) {
    out += ",\"resume\":{\"token\":";
    json::append_quoted(out, offer.token);
    out += ",\"window_ms\":" + std::to_string(offer.window_ms) + "}";
  }
  return out + "}}}";
}

}  // namespace nuropb::edge
