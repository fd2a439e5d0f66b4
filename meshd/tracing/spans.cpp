#include "meshd/tracing/spans.hpp"

#include <algorithm>

#include "common/trace.hpp"

namespace nuropb::meshd {
namespace {

std::string_view name_of(records::Type verb) {
  switch (verb) {
    case records::Type::command: return "command";
    case records::Type::describe: return "describe";
    case records::Type::event: return "event";
    case records::Type::subscribe: return "subscribe";
    case records::Type::unsubscribe: return "unsubscribe";
    case records::Type::snorky_call: return "snorky";
    default: return "request";
  }
}

/// Requests that meshd handles itself, so one span covers all of it.
bool ends_here(records::Type verb) {
  return verb == records::Type::subscribe || verb == records::Type::unsubscribe || verb == records::Type::snorky_call;
}
bool has_topic(records::Type verb) {
  return verb == records::Type::event || verb == records::Type::subscribe || verb == records::Type::unsubscribe;
}

bool went_well(RequestOutcome outcome) { return outcome == RequestOutcome::ok; }

}  // namespace

Spans::Spans(double ratio, Export to) : ratio_(ratio), export_(std::move(to)), random_(std::random_device{}()) {}

std::string Spans::random_id(int words) {
  std::string out;
  for (int i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    while (word == 0) word = random_();
    out += to_hex(std::string_view(reinterpret_cast<const char*>(&word), sizeof word));
  }
  return out;
}

std::string Spans::begin(const ReturnAddress& who, const Began& what) {
  const auto parent = parse_traceparent(what.origin.traceparent);
  const bool sampled = parent ? parent->sampled : std::uniform_real_distribution<double>()(random_) < ratio_;
  if (!sampled || open_.size() >= most_open || open_.contains(who)) return parent ? parent->text() : std::string();

  Open open;
  open.deadline_us = what.deadline_us;
  Span& server = open.server;
  server.trace_id = parent ? std::string(parent->trace_id) : random_id(2);
  server.span_id = random_id(1);
  if (parent) server.parent_id = parent->span_id;
  std::string target(what.service);
  if (!what.method.empty()) target.append(".").append(what.method);
  server.name = std::string(name_of(what.verb)) + " " + target;
  // Both times come from an edge, so they are clamped to possible values.
  const std::uint64_t sent = std::min(what.origin.sent_us, what.read_us);
  server.start_us = sent - std::min<std::uint64_t>(sent, what.origin.waited_us);
  server.attributes = {{"rpc.system", what.verb == records::Type::snorky_call ? "snorky" : "nuropb"},
                       {has_topic(what.verb) ? "messaging.destination.name" : "rpc.service", std::string(what.service)},
                       {"nuropb.trace_id", std::string(what.trace_id)},
                       {"nuropb.worker", static_cast<std::int64_t>(who.slot)},
                       {"nuropb.edge_in_us", static_cast<std::int64_t>(what.origin.waited_us)}};
  if (!what.method.empty()) server.attributes.emplace_back("rpc.method", std::string(what.method));
  if (!what.user_id.empty()) server.attributes.emplace_back("enduser.id", std::string(what.user_id));

  if (ends_here(what.verb)) {
    std::string own = TraceParent{server.trace_id, server.span_id, true}.text();
    open_.emplace(who, std::move(open));
    return own;
  }

  Span& client = open.client.emplace();
  client.trace_id = server.trace_id;
  client.span_id = random_id(1);
  client.parent_id = server.span_id;
  client.name = target;
  client.kind = what.verb == records::Type::request || what.verb == records::Type::describe ? Span::Kind::client
                                                                                            : Span::Kind::producer;
  client.start_us = what.read_us;
  client.attributes = {{"messaging.system", "rabbitmq"}, {"messaging.message.conversation_id", who.correlation_id()}};
  const std::string child = TraceParent{client.trace_id, client.span_id, true}.text();
  open_.emplace(who, std::move(open));
  return child;
}

void Spans::end(const ReturnAddress& who, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us) {
  if (open_.empty()) return;
  if (auto found = open_.extract(who)) finish(std::move(found.mapped()), outcome, stages, now_us);
}

void Spans::finish(Open&& open, RequestOutcome outcome, const records::Stages& stages, std::uint64_t now_us) {
  const std::string name(request_outcome_names[static_cast<std::size_t>(outcome)]);
  open.server.attributes.emplace_back("nuropb.outcome", name);
  open.server.attributes.emplace_back("nuropb.request_ring_us", static_cast<std::int64_t>(stages.request_ring_us));
  if (open.client) {
    open.client->attributes.emplace_back("nuropb.broker_us", static_cast<std::int64_t>(stages.broker_us));
    open.client->attributes.emplace_back("nuropb.service_us", static_cast<std::int64_t>(stages.service_us));
  }
  std::vector<Span> spans;
  spans.push_back(std::move(open.server));
  if (open.client) spans.push_back(std::move(*open.client));
  for (Span& span : spans) {
    span.end_us = std::max(now_us, span.start_us);
    if (!went_well(outcome)) span.error = name;
  }
  export_(std::move(spans));
}

void Spans::expire(std::uint64_t now_us) {
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.deadline_us > now_us) {
      ++at;
      continue;
    }
    Open open = std::move(at->second);
    at = open_.erase(at);
    finish(std::move(open), RequestOutcome::timeout, {}, now_us);
  }
}

}  // namespace nuropb::meshd
