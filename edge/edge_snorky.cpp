// The edge's part in Snorky: envelopes of consumers on their way to meshd, and what comes back. Who is in which channel,
// meshd knows; the edge keeps what it has to bring to the next one.

#include "common/json/scan.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/snorky_message.hpp"

namespace nuropb::edge {

std::optional<SteadyTime> Edge::handle_snorky(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) {
  const SnorkyMessage message = decode_snorky(text, config_.limits.json());
  if (const auto* mistake = std::get_if<SnorkyMistake>(&message)) {
    link_.count(shm::EdgeCounter::bad_messages);
    handler.write_message(encode_snorky_error(mistake->service, mistake->call_id, mistake->text));
    return {};
  }
  const auto& ours = std::get<SnorkyRequest>(message);
  if (refuses(handler)) {
    handler.write_message(
        encode_snorky_error(ours.service, ours.call_id, "The gateway is stopping; the call was not made"));
    return {};
  }
  const SteadyTime deadline = arrived + milliseconds(config_.request.ttl_ms);
  const bool known =
      handler.state() == ConsumerHandler::State::open;  // to this meshd: else the record would be a violation
  if (known && may_call() && takes_from(handler) && handler.unsent().empty() && call(handler, ours, arrived, deadline))
    return {};
  if (clock_.now() < deadline) return deadline;
  link_.count(shm::EdgeCounter::timeouts);
  count_outcome(RequestOutcome::timeout);
  handler.write_message(
      encode_snorky_error(ours.service, ours.call_id, "The gateway was not ready in time; the call was not made"));
  return {};
}

void Edge::refuse_call(ConsumerHandler& handler, std::string_view text, std::string_view why) {
  const SnorkyMessage message = decode_snorky(text, config_.limits.json());
  if (const auto* ours = std::get_if<SnorkyRequest>(&message))
    return handler.write_message(encode_snorky_error(ours->service, ours->call_id, why));
  const auto& mistake = std::get<SnorkyMistake>(message);
  handler.write_message(encode_snorky_error(mistake.service, mistake.call_id, why));
}

bool Edge::call(ConsumerHandler& handler, const SnorkyRequest& message, SteadyTime arrived, SteadyTime deadline) {
  if (handler.requests().count >= config_.limits.pending_per_session) {
    count(shm::EdgeCounter::over_pending);
    count_outcome(RequestOutcome::refused);
    handler.write_message(encode_snorky_error(message.service, message.call_id,
                                              "More than " + std::to_string(config_.limits.pending_per_session) +
                                                  " calls are outstanding (limits.pending_per_session)"));
    return true;
  }
  const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
  record_.clear();
  records::encode(
      records::SnorkyCall{handler.slot(), handler.serial(), false, message.service, message.command, message.call_id,
                          message.params, origin_of(handler, message.traceparent, arrived)},
      record_);
  if (!link_.write(records::Type::snorky_call, sequence, record_)) return false;
  ++next_sequence_;
  link_.count(shm::EdgeCounter::requests);
  link_.count_message(records::Type::snorky_call);
  // What an error would begin with, for the case that no answer comes.
  std::string head = "{\"service\":" + json::quoted(message.service) + ",\"message\":{\"type\":\"error\",\"callId\":";
  head.append(message.call_id.empty() ? "null" : message.call_id).append(",\"message\":");
  PendingRequest& pending = pending_.add(sequence, handler.slot(), handler.requests(), deadline, std::move(head));
  pending.verb = records::Type::snorky_call;
  pending.arrived = arrived;
  pending.ring_end = link_.written();
  arm_timer();
  return true;
}

void Edge::fail_call(ConsumerHandler& handler, std::string_view head, std::string_view text) {
  answer_.assign(head);
  json::append_quoted(answer_, text);
  answer_ += "}}";
  handler.write_message(answer_);
}

void Edge::on_snorky_answer(const shm::RecordHeader& header, const records::SnorkyAnswer& record) {
  ConsumerHandler* const handler = find(record.session);
  const auto asked = pending_.take(header.sequence);
  if (!handler || handler->serial() != record.serial) return link_.count(shm::EdgeCounter::late_responses);
  // What meshd has taken stands, also where nobody waits for the answer any more.
  if (!record.call.empty()) handler->standing()[std::string(record.key)] = record.call;
  else if (!record.key.empty()) handler->standing().erase(std::string(record.key));
  if (!asked || asked->session != record.session) return link_.count(shm::EdgeCounter::late_responses);
  if (asked->trace_id.empty()) {
    if (record.key.empty()) handler->standing().erase(asked->topic);  // this meshd does not take it back
    return;
  }
  link_.count(shm::EdgeCounter::responses);
  count_outcome(RequestOutcome::ok);
  handler->write_message(record.text);
  measure_answered(*handler, *asked, RequestOutcome::ok, {});
}

bool Edge::restore_standing(ConsumerHandler& handler) {
  for (const auto& [key, kept] : handler.standing()) {
    const SnorkyMessage message = decode_snorky(kept, config_.limits.json());
    const auto* const call = std::get_if<SnorkyRequest>(&message);
    if (!call) continue;
    const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
    record_.clear();
    records::encode(
        records::SnorkyCall{handler.slot(), handler.serial(), true, call->service, call->command, {}, call->params, {}},
        record_);
    if (!link_.write(records::Type::snorky_call, sequence, record_)) return false;
    ++next_sequence_;
    pending_.add(sequence, handler.slot(), handler.requests(), clock_.now() + milliseconds(config_.request.max_ttl_ms),
                 "", key);
  }
  return true;
}

}  // namespace nuropb::edge
