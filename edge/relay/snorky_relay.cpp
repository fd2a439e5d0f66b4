#include "edge/relay/snorky_relay.hpp"

#include "edge/protocol/snorky_message.hpp"
#include "edge/protocol/snorky_protocol.hpp"
#include "edge/relay/request_timings.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/tick_timer.hpp"

namespace nuropb::edge {

std::optional<SteadyTime> SnorkyRelay::on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) {
  const SnorkyMessage message = decode_snorky(text, config_.limits.json());
  if (const auto* mistake = std::get_if<SnorkyMistake>(&message)) {
    sender_.link().count(shm::EdgeCounter::bad_messages);
    handler.write_message(encode_snorky_error(mistake->service, mistake->call_id, mistake->text));
    return {};
  }
  const auto& ours = std::get<SnorkyRequest>(message);
  if (drain_.refuses(handler)) {
    handler.write_message(
        encode_snorky_error(ours.service, ours.call_id, "The gateway is stopping; the call was not made"));
    return {};
  }
  const SteadyTime deadline = arrived + milliseconds(config_.request.ttl_ms);
  // If this meshd does not know the session yet, the record would be a violation.
  const bool known = handler.state() == ConsumerHandler::State::open;
  if (known && sender_.meshd_ready() && drain_.accepts_from(handler) && handler.relayed().unsent.empty() &&
      call(handler, ours, arrived, deadline))
    return {};
  if (clock_.now() < deadline) return deadline;
  sender_.link().count(shm::EdgeCounter::timeouts);
  sender_.link().count_outcome(RequestOutcome::timeout);
  handler.write_message(
      encode_snorky_error(ours.service, ours.call_id, "The gateway was not ready in time; the call was not made"));
  return {};
}

bool SnorkyRelay::call(ConsumerHandler& handler, const SnorkyRequest& message, SteadyTime arrived,
                       SteadyTime deadline) {
  MeshLink& link = sender_.link();
  SessionRequests& requests = handler.relayed().requests;
  if (requests.count >= config_.limits.pending_per_session) {
    link.count(shm::EdgeCounter::over_pending);
    link.count_outcome(RequestOutcome::refused);
    handler.write_message(encode_snorky_error(message.service, message.call_id,
                                              "More than " + std::to_string(config_.limits.pending_per_session) +
                                                  " calls are outstanding (limits.pending_per_session)"));
    return true;
  }
  const auto sequence = sender_.send_new(
      records::Type::snorky_call,
      records::SnorkyCall{handler.slot(), handler.serial(), false, message.service, message.command, message.call_id,
                          message.params, timings_.origin_of(handler, message.traceparent, arrived)});
  if (!sequence) return false;
  link.count(shm::EdgeCounter::requests);
  link.count_message(records::Type::snorky_call);
  PendingRequest& pending = sessions_.pending.add(*sequence, handler.slot(), requests, deadline,
                                                  SnorkyProtocol::reference_of(message.service, message.call_id));
  pending.verb = records::Type::snorky_call;
  pending.arrived = arrived;
  pending.ring_end = link.written();
  timer_.arm();
  return true;
}

void SnorkyRelay::on_answer(const shm::RecordHeader& header, const records::SnorkyAnswer& record) {
  MeshLink& link = sender_.link();
  ConsumerHandler* const handler = sessions_.slots.find({record.session, record.serial});
  const auto asked = sessions_.pending.take(header.sequence);
  if (!handler) return link.count(shm::EdgeCounter::late_responses);
  // What meshd has accepted stands, also if no client waits for the answer any more.
  auto& standing = handler->relayed().standing;
  if (!record.call.empty()) standing[std::string(record.key)] = record.call;
  else if (!record.key.empty()) standing.erase(std::string(record.key));
  if (!asked || asked->session != record.session) return link.count(shm::EdgeCounter::late_responses);
  if (asked->trace_id.empty()) {
    if (record.key.empty()) standing.erase(asked->topic);  // this meshd does not accept it again
    return;
  }
  link.count(shm::EdgeCounter::responses);
  link.count_outcome(RequestOutcome::ok);
  handler->write_message(record.text);
  timings_.on_answered(*handler, *asked, RequestOutcome::ok, {});
}

bool SnorkyRelay::restore(ConsumerHandler& handler) {
  const milliseconds limit(config_.request.max_ttl_ms);
  for (const auto& [key, kept] : handler.relayed().standing) {
    const SnorkyMessage message = decode_snorky(kept, config_.limits.json());
    const auto* const call = std::get_if<SnorkyRequest>(&message);
    if (!call) continue;
    const auto sequence = sender_.send_new(
        records::Type::snorky_call,
        records::SnorkyCall{
            handler.slot(), handler.serial(), true, call->service, call->command, {}, call->params, {}});
    if (!sequence) return false;
    sessions_.pending.add(*sequence, handler.slot(), handler.relayed().requests, clock_.now() + limit, "", key);
  }
  return true;
}

}  // namespace nuropb::edge
