#include "edge/relay/request_relay.hpp"

#include <algorithm>

#include "common/error_names.hpp"
#include "common/messages.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/relay/event_relay.hpp"
#include "edge/relay/request_timings.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/relay/subscriptions.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/tick_timer.hpp"

namespace nuropb::edge {
namespace {

// Commands that go on to meshd while the broker is unavailable: a part of what may wait there even with the most edges and the
// defaults, so that messages that need no broker always find room.
constexpr std::size_t most_early_commands = 512 * 1024, command_cost = 512;

}  // namespace

std::optional<SteadyTime> RequestRelay::on_message(ConsumerHandler& handler, std::string_view text,
                                                   SteadyTime arrived) {
  ClientMessage message = decode_client_message(text, config_.limits.json());
  if (const auto* mistake = std::get_if<ClientMistake>(&message)) {
    sender_.link().count(shm::EdgeCounter::bad_messages);
    handler.write_message(encode_mistake(*mistake));
    return {};
  }
  auto& ours = std::get<ClientRequest>(message);
  if (drain_.refuses(handler)) {
    sender_.link().count_outcome(RequestOutcome::refused);
    answer(handler, ours.trace_id,
           error_json(error_name::transport, "the gateway is stopping; the request was not sent"));
    return {};
  }
  const std::uint64_t ttl =
      std::min<std::uint64_t>(ours.ttl_ms.value_or(config_.request.ttl_ms), config_.request.max_ttl_ms);
  const SteadyTime deadline = arrived + milliseconds(ttl);
  if (ours.verb == records::Type::resume && parts_.resume.process(handler, ours)) return {};
  // If this meshd does not know the session yet, the record would be a violation.
  const bool known = handler.state() == ConsumerHandler::State::open;
  if (known && may_send(handler, ours) && drain_.accepts_from(handler) && request(handler, ours, arrived, deadline))
    return {};
  if (clock_.now() < deadline) return deadline;
  sender_.link().count(shm::EdgeCounter::timeouts);
  sender_.link().count_outcome(RequestOutcome::timeout);
  encode_response(answer_, ours.trace_id.empty() ? "null" : ours.trace_id, "null",
                  error_json(error_name::timeout, "the mesh was not reachable in time; the request was not sent"));
  parts_.resume.send(handler, answer_);
  return {};
}

bool RequestRelay::may_send(ConsumerHandler& handler, const ClientRequest& message) const {
  // A fresh token needs no broker, nor does what meshd keeps.
  if (message.verb == records::Type::authorize || message.verb == records::Type::resume) return sender_.meshd_ready();
  if (!handler.relayed().unsent.empty()) return false;
  // No client waits for what a command does: it can as well wait in meshd, and its socket is read on.
  return sender_.broker_ready() || (message.verb == records::Type::command && sender_.meshd_ready() &&
                                    early_commands_ + message.params.size() + command_cost <= most_early_commands);
}

bool RequestRelay::request(ConsumerHandler& handler, ClientRequest& message, SteadyTime arrived, SteadyTime deadline) {
  MeshLink& link = sender_.link();
  SessionRequests& requests = handler.relayed().requests;
  std::string trace_id = message.trace_id.empty() ? json::quoted(random_hex32()) : std::string(message.trace_id);
  if (requests.count >= config_.limits.pending_per_session) {
    link.count(shm::EdgeCounter::over_pending);
    link.count_outcome(RequestOutcome::refused);
    answer(handler, trace_id,
           over_limit_json("more than " + std::to_string(config_.limits.pending_per_session) +
                           " requests are outstanding (limits.pending_per_session)"));
    return true;
  }
  const records::Origin origin = parts_.timings.origin_of(handler, message.traceparent, arrived);
  const auto sequence = write(handler, message, origin, deadline, trace_id);
  if (!sequence) return false;
  link.count(shm::EdgeCounter::requests);
  link.count_message(message.verb);
  parts_.timings.on_sent(handler, message, trace_id, origin);
  if (message.verb == records::Type::unsubscribe) {
    parts_.subscriptions.remove(handler, message.topic);
    for (PendingRequest& request : requests.list) {
      // Its answer is still to come, and begins no subscription any more.
      if (request.topic == message.topic) request.topic.clear();
    }
  }
  PendingRequest& pending =
      sessions_.pending.add(*sequence, handler.slot(), requests, deadline, std::move(trace_id),
                            message.verb == records::Type::subscribe ? std::move(message.topic) : std::string());
  pending.verb = message.verb;
  pending.arrived = arrived;
  pending.called = parts_.timings.called_of(message, origin);
  if (message.verb == records::Type::command && link.broker() != shm::BrokerState::ready)
    early_commands_ += message.params.size() + command_cost;
  pending.ring_end = link.written();
  parts_.resume.leave_time_to_meshd(handler, pending);
  if (message.idempotent) sessions_.pending.keep(pending, sender_.last(), config_.limits.send_queue_bytes);
  timer_.arm();
  return true;
}

/// The sequence of the record, or nothing if there was no room.
std::optional<std::uint64_t> RequestRelay::write(ConsumerHandler& handler, const ClientRequest& message,
                                                 const records::Origin& origin, SteadyTime deadline,
                                                 std::string_view trace_id) {
  using records::Type;
  const std::uint32_t slot = handler.slot(), serial = handler.serial();
  const std::uint64_t until = to_ring_ms(deadline);
  switch (message.verb) {
    case Type::event:
      return sender_.send_new(message.verb, records::Event{slot, serial, until, message.topic, trace_id, message.params,
                                                           message.target, origin});
    case Type::subscribe:
    case Type::unsubscribe:
      return sender_.send_new(message.verb,
                              records::Subscription{slot, serial, message.topic, until, trace_id, origin});
    case Type::resume:
      return sender_.send_new(message.verb, records::Resume{message.token.empty() ? records::Resume::What::keep
                                                                                  : records::Resume::What::resume,
                                                            slot,
                                                            serial,
                                                            message.seq,
                                                            until,
                                                            message.token,
                                                            trace_id,
                                                            {}});
    case Type::authorize:
      return sender_.send_new(message.verb,
                              records::Authorize{slot, serial, strip_bearer(message.token), until, trace_id});
    case Type::describe:
      return sender_.send_new(message.verb,
                              records::Request{slot, serial, until, message.service, "", trace_id, "", origin});
    default:
      return sender_.send_new(message.verb, records::Request{slot, serial, until, message.service, message.method,
                                                             trace_id, message.params, origin});
  }
}

void RequestRelay::on_response(const shm::RecordHeader& header, const records::Response& record) {
  MeshLink& link = sender_.link();
  const auto asked = sessions_.pending.take(header.sequence);
  ConsumerHandler* const handler = asked ? sessions_.slots.find(asked->session) : nullptr;
  if (!handler || asked->session != record.session) {
    // The second answer of a service that sends two, or one that came after its deadline: no client waits for it.
    return link.count(shm::EdgeCounter::late_responses);
  }
  const bool subscribed = !asked->topic.empty() && record.error == "null";
  if (subscribed) parts_.subscriptions.add(*handler, asked->topic);
  if (asked->trace_id.empty()) {
    if (!asked->topic.empty() && !subscribed) parts_.events.end_subscription(*handler, asked->topic, record.error);
    return;
  }
  link.count(shm::EdgeCounter::responses);
  link.count_outcome(record.outcome);
  handler->protocol().encode_answer(answer_, asked->trace_id, record.result, record.error, record.outcome);
  parts_.resume.send(*handler, answer_, header.sequence);
  parts_.timings.on_answered(*handler, *asked, record.outcome, record.stages);
}

/// Answers a message that was not sent. An empty trace_id: the message has none.
void RequestRelay::answer(ConsumerHandler& handler, std::string_view raw_trace_id, std::string_view error) {
  encode_response(answer_, raw_trace_id.empty() ? "null" : raw_trace_id, "null", error);
  handler.write_message(answer_);
}

}  // namespace nuropb::edge
