// The transport's thread: sending. Messages of each participant in turn, then acknowledgements.

#include <algorithm>

#include "common/crash_points.hpp"
#include "meshd/mesh/envelope.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

constexpr std::size_t max_unconfirmed = 65'536;  // published and not yet confirmed
constexpr std::size_t settlement_size = 64;      // upper bound of an acknowledgement's size on the wire

}  // namespace

/// Responses before acknowledgements: if the service dies in between, the request is delivered again.
Result<void> TransportLoop::write() {
  no_room_ = false;
  if (const auto declared = write_declarations(); !declared) return declared;
  std::size_t wanted = verdicts_.size();
  for (const auto& one : participants_) wanted += one->queue.size() + one->trials.size() + one->settlements.size();
  if (wanted == 0) return paused_ ? connection_->heartbeat(std::chrono::steady_clock::now()) : Result<void>();
  connection_->begin_writes(wanted > 1);
  auto done = publish_queued();
  if (done) {
    take_settlements();
    done = tell_verdicts();
  }
  if (done && paused_) done = connection_->heartbeat(std::chrono::steady_clock::now());
  const auto written = connection_->end_writes();
  NUROPB_CRASH_POINT(requests_sent);
  return done ? written : done;
}

/// Collects acknowledgements that may be sent, because everything submitted before them has been sent.
void TransportLoop::take_settlements() {
  for (const auto& one : participants_) {
    auto& settlements = one->settlements;
    auto at = settlements.begin();
    for (; at != settlements.end() && one->queue.gone(at->after) && one->trials.gone(at->after); ++at) {
      if (!ours(at->delivery.channel)) continue;
      Channel& channel = channels_[at->delivery.channel];
      if (at->delivery.epoch != channel.epoch) continue;
      if (at->verdict == TransportInbox::Verdict::ack) channel.unsettled.ack(at->delivery.tag, at->multiple);
      else if (channel.unsettled.reject(at->delivery.tag)) verdicts_.push_back(*at);
    }
    settlements.erase(settlements.begin(), at);
  }
  for (std::uint16_t number = 1; number < channels_.size(); ++number) {
    for (const auto& ack : channels_[number].unsettled.take())
      verdicts_.push_back({{channels_[number].epoch, number, ack.tag}, TransportInbox::Verdict::ack, ack.multiple});
  }
}

Result<void> TransportLoop::tell_verdicts() {
  auto at = verdicts_.begin();
  Result<void> done;
  for (; at != verdicts_.end() && done; ++at) {
    if (at->delivery.epoch != channels_[at->delivery.channel].epoch) continue;
    if (!connection_->send_room(settlement_size)) {
      no_room_ = true;
      break;
    }
    if (at->verdict == TransportInbox::Verdict::ack)
      done = connection_->ack(at->delivery.channel, at->delivery.tag, at->multiple);
    else
      done =
          connection_->reject(at->delivery.channel, at->delivery.tag, at->verdict == TransportInbox::Verdict::requeue);
    NUROPB_CRASH_POINT(acknowledgement_sent);
  }
  verdicts_.erase(verdicts_.begin(), at);
  return done;
}

Result<void> TransportLoop::publish_queued() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<Participant*> going;
  for (const auto& one : participants_) {
    if (may_publish(*one)) going.push_back(one.get());
    else expire_queued(*one);
  }
  for (Participant* const one : going) one->queue.put_back(one->trials.go_home());
  const std::vector<Participant*> trying = going;
  // Trials alternate between first and last, because otherwise one kind could always use up the send buffer.
  trials_first_ = !trials_first_;
  const auto trials = [&]() -> Result<void> {
    for (Participant* const one : trying) {
      if (const auto done = publish_trials(*one, now); !done) return done;
      expire_queued(*one);
    }
    return {};
  };
  if (trials_first_) {
    if (const auto done = trials(); !done) return done;
  }
  // Participants take turns, so that no message waits for another participant's whole backlog.
  while (!going.empty()) {
    for (auto at = going.begin(); at != going.end();) {
      Participant& one = **at;
      bool held = holding_;
      if (!held && !one.queue.empty()) {
        const auto gone = publish_front(one, now);
        if (!gone) return tl::unexpected(gone.error());
        held = !*gone;
      }
      if (held) expire_queued(one);
      at = held || one.queue.empty() ? going.erase(at) : at + 1;
    }
  }
  return trials_first_ ? Result<void>() : trials();
}

/// Returns true if the front message has left the queue, published or not; false if it has to wait.
Result<bool> TransportLoop::publish_front(Participant& from, SteadyTime now) {
  const Outgoing& message = from.queue.front();
  if (const auto reason = unsendable(message, now)) {
    report(from, from.queue.take_front(), reason->first, reason->second);
    return true;
  }
  if (put_on_trial(from)) return true;
  const Envelope envelope(message, settings_, from.topology.response_queue, now);
  if (const auto ok = connection_->publishable(message.routing_key, envelope.properties); !ok) {
    ++counts_.refused_frame;
    report(from, from.queue.take_front(), Outcome::refused, ok.error().text());
    return true;
  }
  if (from.unconfirmed.size() >= max_unconfirmed) return false;
  if (!connection_->send_room(amqp::Connection::publish_overhead + message.body.size())) {
    no_room_ = true;
    return false;
  }
  const auto sent = connection_->publish(from.channel(publish_channel), envelope.exchange, message.routing_key,
                                         envelope.mandatory, envelope.properties, message.body);
  moved_ = true;
  // If the write failed, all of it may nevertheless have been sent, so it counts as in flight from here on.
  from.inbox->left(TransportInbox::cost(message));
  from.unconfirmed.published(from.queue.take_front());
  NUROPB_CRASH_POINT(request_on_its_way);
  if (!sent) return tl::unexpected(sent.error());
  return true;
}

/// Scans the whole queue, so it is not called in every turn.
void TransportLoop::expire_queued(Participant& of) {
  const auto now = std::chrono::steady_clock::now();
  if (of.nothing_to_publish() || now < of.next_expiry_look) return;
  of.next_expiry_look = now + expiry_look;
  const auto tell = [&](std::vector<Outgoing>&& expired) {
    for (Outgoing& message : expired)
      report(of, std::move(message), Outcome::expired, "its deadline passed before it could be sent");
  };
  tell(of.queue.expire(now));
  tell(of.trials.expire(now));
}

void TransportLoop::report(Participant& to, Outgoing&& message, Outcome outcome, const std::string& detail) {
  to.inbox->left(TransportInbox::cost(message));
  to.something_ran = true;
  if (!to.callbacks.on_report) return;
  to.callbacks.on_report({outcome,
                          message.type,
                          std::move(message.routing_key),
                          std::move(message.correlation_id),
                          message.tag,
                          detail,
                          {},
                          message.encrypted});
}

}  // namespace nuropb::mesh
