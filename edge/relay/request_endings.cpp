#include "edge/relay/request_endings.hpp"

#include "edge/relay/request_timings.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/sessions/sessions.hpp"

namespace nuropb::edge {

void RequestEndings::expire(SteadyTime now) {
  sessions_.pending.expire(now, [this](const PendingRequests::Taken& taken) {
    ConsumerHandler* const handler = sessions_.slots.find(taken.session);
    if (handler && !taken.trace_id.empty()) time_out(*handler, taken);
  });
}

void RequestEndings::lose(std::uint64_t sequence) {
  const auto taken = sessions_.pending.take(sequence);
  ConsumerHandler* const handler = taken ? sessions_.slots.find(taken->session) : nullptr;
  if (handler) interrupt(*handler, *taken, ConsumerProtocol::Interruption::mesh_lost);
}

void RequestEndings::interrupt_all() {
  sessions_.pending.take_all([this](const PendingRequests::Taken& taken) {
    ConsumerHandler* const handler = sessions_.slots.find(taken.session);
    if (handler && !handler->numbered()) interrupt(*handler, taken, ConsumerProtocol::Interruption::stopping);
  });
}

void RequestEndings::abandon(ConsumerHandler& handler) {
  SessionRequests& requests = handler.relayed().requests;
  for (const PendingRequest& request : requests.list) {
    if (!request.trace_id.empty()) sender_.link().count_outcome(RequestOutcome::abandoned);
  }
  sessions_.pending.drop(requests);
}

void RequestEndings::interrupt(ConsumerHandler& handler, const PendingRequests::Taken& taken,
                               ConsumerProtocol::Interruption why) {
  if (taken.trace_id.empty()) return;
  sender_.link().count_outcome(RequestOutcome::unknown);
  timings_.on_ended(handler, taken, RequestOutcome::unknown, {});
  handler.protocol().encode_interruption(text_, taken.trace_id, why);
  resume_.send(handler, text_);
}

void RequestEndings::time_out(ConsumerHandler& handler, const PendingRequests::Taken& taken) {
  timings_.on_ended(handler, taken, RequestOutcome::timeout, {});
  // meshd may have the subscription, or get it later: not for a client that is told that it failed.
  if (!taken.topic.empty() && handler.state() == ConsumerHandler::State::open)
    sender_.send_new(records::Type::unsubscribe,
                     records::Subscription{handler.slot(), handler.serial(), taken.topic, 0, {}});
  sender_.link().count(shm::EdgeCounter::timeouts);
  sender_.link().count_outcome(RequestOutcome::timeout);
  handler.protocol().encode_timeout(text_, taken.trace_id, !taken.topic.empty());
  resume_.send(handler, text_);
}

}  // namespace nuropb::edge
