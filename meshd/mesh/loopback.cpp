#include "meshd/mesh/loopback.hpp"

#include <utility>

#include "common/error_names.hpp"
#include "meshd/mesh/discovery.hpp"
#include "meshd/mesh/service_host.hpp"

namespace nuropb::mesh {
namespace {

std::string description_of_service(const std::string& name) {
  ServiceHost host(name, "1", "An echo in the gateway's own process");
  host.raw_method("echo", {.description = "Returns its parameters", .any_parameters = true},
                  [](std::string_view params) { return std::string(params); });
  return host.describe().dump();
}

}  // namespace

/// The participants of one mesh by number, and their subscriptions.
struct Loopback::Exchange {
  std::map<TopicIndex::Id, Loopback*> participants;
  TopicIndex patterns;
  TopicIndex::Id last = 0;
  std::vector<TopicIndex::Id> matched;  // for the current event; reused
};

Loopback::Loopback(Callbacks callbacks)
    : callbacks_(std::move(callbacks)), exchange_(std::make_shared<Exchange>()), id_(++exchange_->last) {
  exchange_->participants.emplace(id_, this);
}

Loopback::Loopback(Loopback& first, Callbacks callbacks)
    : callbacks_(std::move(callbacks)), exchange_(first.exchange_), id_(++exchange_->last) {
  exchange_->participants.emplace(id_, this);
}

Loopback::~Loopback() { exchange_->participants.erase(id_); }

void Loopback::start() {
  callbacks_.on_state(State::ready, "loopback: no broker, every method echoes its parameters");
  callbacks_.on_batch_end();
}

bool Loopback::submit(Outgoing&& message) {
  if (paused_) return false;
  answer(std::move(message));
  callbacks_.on_batch_end();
  return true;
}

std::size_t Loopback::submit(std::vector<Outgoing>& messages) {
  std::size_t taken = 0;
  for (; taken < messages.size() && !paused_; ++taken) answer(std::move(messages[taken]));
  if (taken > 0) callbacks_.on_batch_end();
  return taken;
}

void Loopback::answer(Outgoing&& message) {
  Report report{Outcome::confirmed, message.type, message.routing_key, message.correlation_id, message.tag, {}, {},
                message.encrypted};
  if (message.type == MessageType::event) publish(message);
  callbacks_.on_report(std::move(report));
  if (message.type != MessageType::request) return;

  Incoming response;
  response.type = MessageType::response;
  response.correlation_id = std::move(message.correlation_id);
  response.trace_id = std::move(message.trace_id);
  ResponseBody body;
  std::string result, error;
  const auto call = decode_call(message.body, MessageType::request);
  if (!call) {
    body.error = error = error_json(error_name::message, call.error().text());
  } else {
    body.result =
        call->method == name_of_describe ? result = description_of_service(message.routing_key) : call->params;
    body.context = call->context;
    body.trace_id = call->trace_id;
  }
  body.correlation_id = response.correlation_id;
  response.body = encode_response(body);
  callbacks_.on_response(std::move(response));
}

void Loopback::publish(const Outgoing& message) {
  exchange_->patterns.match(message.routing_key, exchange_->matched);
  for (const TopicIndex::Id id : exchange_->matched) {
    const auto participant = exchange_->participants.find(id);
    if (participant == exchange_->participants.end()) continue;
    Incoming event;
    event.type = MessageType::event;
    event.correlation_id = message.correlation_id;
    event.trace_id = message.trace_id;
    event.routing_key = message.routing_key;
    event.body = message.body;
    participant->second->callbacks_.on_event(std::move(event));
    if (id != id_) participant->second->callbacks_.on_batch_end();
  }
}

Result<void> Loopback::bind_event(std::string topic_pattern) {
  if (const auto problem = pattern_problem(topic_pattern)) return failure(*problem, "topic pattern");
  exchange_->patterns.add(topic_pattern, id_);
  callbacks_.on_event_bound(topic_pattern);
  callbacks_.on_batch_end();
  return {};
}

void Loopback::unbind_event(const std::string& topic_pattern) { exchange_->patterns.remove(topic_pattern, id_); }

}  // namespace nuropb::mesh
