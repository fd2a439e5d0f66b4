// The transport's thread: channels of a live connection. A channel that the broker has closed is reopened, a cancelled
// consumer consumes again, and topic patterns are bound and unbound.

#include <algorithm>

#include "common/crash_points.hpp"
#include "common/log.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

// If a broker closes channels repeatedly, reopening them does not help.
constexpr std::size_t most_reopened = 5;
constexpr auto reopened_within = std::chrono::seconds(10);
// Each refused pattern requires setting up the events channel and all its bindings again, so untrusted clients must not
// determine the rate.
constexpr auto events_pause = std::chrono::seconds(1);
// A queue that is being deleted still exists for a moment and can be declared and consumed from. A broker under load then
// removes the new consumer without a notification, so the queue is declared and consumed from again a little later.
constexpr auto deleted_by_then = std::chrono::seconds(2);
// The answer follows everything that was published before.
constexpr auto longest_answer = std::chrono::seconds(60);

std::vector<EventBindings::Change> changes(const std::vector<amqp::Step>& steps) {
  std::vector<EventBindings::Change> out;
  for (const auto& step : steps) {
    if (step.kind == amqp::Step::Kind::bind || step.kind == amqp::Step::Kind::unbind)
      out.push_back({step.key, step.kind == amqp::Step::Kind::bind});
  }
  return out;
}

/// 403 and 404 refer to what we declare and use, so a retry would fail the same way. Exceptions depend on something
/// else: a consumer that may disconnect, a node that may come back, the topic of one event.
bool for_good(std::uint16_t code, const std::string& why) {
  const auto says = [&](const char* text) { return why.find(text) != std::string::npos; };
  return (code == 403 || code == 404) && !says("exclusive use") && !on_lost_node(why) && !says("access to topic");
}

}  // namespace

/// Initializes the state for a new connection, on which all channels except the events' are set up.
void TransportLoop::channels_fresh() {
  ++epoch_;
  bounds_.fresh();
  majority_.begin(std::chrono::steady_clock::now());
  for (Channel& channel : channels_) {
    channel.frames.reset();
    channel.epoch = epoch_;
    channel.unsettled.reset();
  }
  verdicts_.clear();
  reopened_.clear();
  holding_ = false;
  secret_pending_ = false;
}

/// The connection is lost, and all its channels with it.
void TransportLoop::channels_lost(const std::string& why) {
  for (const auto& one : participants_) {
    one->unconfirmed.lost(why);
    trials_lost(*one, why);
    one->events_set_up = one->bindings_set_up = false;
  }
  for (std::uint16_t channel = 1; channel < channels_.size(); ++channel) {
    const auto unanswered = declarations_.drop(channel);
    if (trade_of(channel) == bindings_channel) of(channel).events.retell(changes(unanswered));
  }
}

/// Nothing is published while its outcome or response could not be received.
bool TransportLoop::may_publish(const Participant& who) const {
  return !blocked_ && declarations_.settled(who.channel(publish_channel)) &&
         declarations_.settled(who.channel(response_channel));
}

void TransportLoop::event_bound(Participant& to, const std::string& pattern) {
  to.something_ran = true;
  if (to.callbacks.on_event_bound) to.callbacks.on_event_bound(pattern);
}

void TransportLoop::tell_events(Participant& of) {
  for (const auto& pattern : of.events.take_bound()) event_bound(of, pattern);
  if (!of.events.needed()) return;
  const auto now = std::chrono::steady_clock::now();
  const std::uint16_t queue = of.channel(events_channel), bindings = of.channel(bindings_channel);
  if (!of.events_set_up) {
    if (now < of.events_not_before) return;
    of.events_set_up = true;
    declarations_.add(queue, steps_of(events_channel, settings_, of.settings, of.topology));
  }
  if (!declarations_.settled(queue) || now < of.bindings_not_before) return;
  if (!of.bindings_set_up) {
    of.bindings_set_up = true;
    declarations_.add(bindings, steps_of(bindings_channel, settings_, of.settings, of.topology));
  }
  for (auto& [pattern, bind] : of.events.take(declarations_.room(bindings))) {
    if (const auto why = bind ? bounds_.patterns.find(pattern, now) : std::nullopt) {
      refuse_pattern(of, pattern, *why);
      continue;
    }
    declarations_.add(
        bindings, bind ? amqp::Step::bind(of.topology.events_queue, settings_.events_exchange, std::move(pattern))
                       : amqp::Step::unbind(of.topology.events_queue, settings_.events_exchange, std::move(pattern)));
  }
}

/// Repeats the first service's binding: all participants of a connection are on the same node.
void TransportLoop::look_for_majority(SteadyTime now) {
  const auto& services = participants_;
  const auto service = std::find_if(services.begin(), services.end(), [this](const auto& one) {
    return !one->settings.client_only && one->service_again_at == SteadyTime::max() &&
           declarations_.settled(one->channel(service_channel));
  });
  if (!majority_.due(now, service != services.end() && !blocked_ && !paused_ && !next_.connection)) return;
  declarations_.add(
      (*service)->channel(service_channel),
      amqp::Step::bind((*service)->topology.service_queue, settings_.rpc_exchange, (*service)->settings.service_name));
}

Result<void> TransportLoop::write_declarations() {
  for (const auto& one : participants_) tell_events(*one);
  const auto now = std::chrono::steady_clock::now();
  for (const auto& one : participants_) {
    const std::uint16_t service = one->channel(service_channel);
    if (one->topology.service_later && one->service_again_at == SteadyTime::max()) {
      one->topology.service_later = !declarations_.settled(service);
      declarations_.excuse(service, now);  // answered when the queue's node is back
    }
    if (now < one->service_again_at || next_.connection) continue;
    one->service_again_at = SteadyTime::max();
    declarations_.add(one->channel(service_channel),
                      steps_of(service_channel, settings_, one->settings, one->topology));
  }
  look_for_majority(now);
  if (blocked_ || paused_) declarations_.excuse(now);  // the broker does not read, or we do not
  if (const auto late = declarations_.overdue(now, longest_answer)) {
    for (const auto& one : participants_) (void)one->unanswered(*late);
    return failure("the broker does not answer", *late, "");
  }
  const auto all = declarations_.write(*connection_, now);
  if (!all) return tl::unexpected(all.error());
  if (!*all) no_room_ = true;
  return {};
}

Result<void> TransportLoop::on_method(const amqp_frame_t& frame) {
  const auto id = frame.payload.method.id;
  if (const auto why = amqp::close_text(frame)) {
    const auto code = amqp::close_code(frame);
    connection_->answer_close(frame);
    if (frame.channel == 0) {
      (void)learn({}, *why);
      closed_ = Ended{{"the broker closed the connection: " + *why, {}, {}}, false};
    } else if (ours(frame.channel)) {
      channel_closed(frame.channel, code, *why);
    }
    return {};
  }
  switch (id) {
    case AMQP_BASIC_ACK_METHOD: {
      NUROPB_CRASH_POINT(confirm_read);
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      if (ours(frame.channel)) unconfirmed_of(frame.channel).confirmed(ack->delivery_tag, ack->multiple);
      look_again_ = look_again_ || trade_of(frame.channel) == trial_channel;  // the next trial may be sent
      return {};
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto* nack = static_cast<const amqp_basic_nack_t*>(frame.payload.method.decoded);
      if (ours(frame.channel)) unconfirmed_of(frame.channel).refused(nack->delivery_tag, nack->multiple);
      look_again_ = look_again_ || trade_of(frame.channel) == trial_channel;
      return {};
    }
    case AMQP_BASIC_CANCEL_METHOD: {
      if (!ours(frame.channel)) return {};
      const std::string tag(
          amqp::view(static_cast<const amqp_basic_cancel_t*>(frame.payload.method.decoded)->consumer_tag));
      ++counts_.consumers_cancelled;
      log::warning("the broker cancelled a consumer: its queue was deleted, or its node is gone", {{"consumer", tag}});
      consume_anew_later(frame.channel, tag);
      return set_up_again(frame.channel, false);
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      const auto* blocked = static_cast<const amqp_connection_blocked_t*>(frame.payload.method.decoded);
      blocked_ = true;
      set_state(State::blocked, "the broker accepts no messages: " + std::string(amqp::view(blocked->reason)));
      return {};
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_ = false;
      look_again_ = true;
      set_state(State::ready, "the broker accepts messages again");
      return {};
    default:
      if (const auto step = declarations_.answered(frame.channel, id, std::chrono::steady_clock::now())) {
        look_again_ = true;
        if (trade_of(frame.channel) == bindings_channel && step->kind == amqp::Step::Kind::bind &&
            of(frame.channel).events.answered(step->key))
          event_bound(of(frame.channel), step->key);
      }
      return {};
  }
}

void TransportLoop::channel_closed(std::uint16_t channel, std::uint16_t code, const std::string& why) {
  ++counts_.channels_closed;
  const auto unanswered = declarations_.drop(channel);
  channels_[channel].frames.reset();
  channels_[channel].epoch = ++epoch_;  // acknowledgements of the old channel's deliveries are invalid on the new one
  channels_[channel].unsettled.reset();
  const std::string during = unanswered.empty() ? "" : unanswered.front().text();
  Participant& owner = of(channel);
  if (trade_of(channel) == events_channel) return event_steps_failed(owner, unanswered, code, why);
  if (trade_of(channel) == bindings_channel) return bindings_failed(owner, unanswered, code, why);
  if (trade_of(channel) == trial_channel && unanswered.empty()) return trial_closed(owner, code, why);
  if (trade_of(channel) == publish_channel) {
    // The broker's limits have been reduced: the message in question was acceptable before.
    const auto said = bounds_.read(code, why);
    owner.unconfirmed.lost("the broker closed the channel: " + why, [&](const Report& one) {
      const bool means = said.means(one.type, one.routing_key, one.body_size);
      if (means) bounds_.refused(said, one.type, one.routing_key, why, std::chrono::steady_clock::now());
      if (means) refused_by_broker(said, why, one.routing_key);
      return means;
    });
  }
  const bool learned = trade_of(channel) == service_channel && !unanswered.empty() && learn(unanswered.front(), why);
  if (on_lost_node(why)) {
    if (trade_of(channel) == service_channel) {
      owner.service_again_at = std::chrono::steady_clock::now() + lost_node_pause;
      log::warning("the service queue is on a cluster node that is down; it is retried periodically",
                   {{"reason", why}});
      return;
    }
    if (trade_of(channel) == response_channel) owner.move_response_queue();
  }
  // An expired token makes the broker refuse everything, and a new token will arrive.
  if (!learned && for_good(code, why)) {
    closed_ = Ended{{"the broker closed a channel: " + why, during, {}}, !secret_.named()};
    return;
  }
  if (const auto again = set_up_again(channel, true); !again) {
    closed_ = Ended{{"the broker closed a channel: " + why, during, {}}, false};
    return;
  }
  log::warning("the broker closed a channel; it is opened again",
               {{"channel", channel}, {"reason", why}, {"during", during}});
}

Result<void> TransportLoop::set_up_again(std::uint16_t channel, bool open) {
  const auto now = std::chrono::steady_clock::now();
  while (!reopened_.empty() && now - reopened_.front() > reopened_within) reopened_.pop_front();
  reopened_.push_back(now);
  if (reopened_.size() > most_reopened)
    return failure("the broker repeatedly closes our channels or deletes our queues", "connection to the broker");
  Participant& owner = of(channel);
  if (trade_of(channel) == events_channel) owner.events.retell({});
  if (trade_of(channel) == service_channel) owner.topology.service_later = true;  // its node may be down
  auto steps = steps_of(trade_of(channel), settings_, owner.settings, owner.topology);
  if (!open) steps.erase(steps.begin());
  declarations_.add(channel, std::move(steps));
  look_again_ = true;
  return {};
}

void TransportLoop::consume_anew_later(std::uint16_t channel, const std::string& tag) {
  timers_.emplace(std::chrono::steady_clock::now() + deleted_by_then,
                  [this, channel, tag, epoch = channels_[channel].epoch] {
                    // Another connection or channel has declared it again.
                    if (!connection_ || channels_[channel].epoch != epoch) return;
                    if (!declarations_.settled(channel)) return consume_anew_later(channel, tag);
                    Participant& owner = of(channel);
                    if (trade_of(channel) == events_channel) owner.events.retell({});
                    auto steps = steps_of(trade_of(channel), settings_, owner.settings, owner.topology);
                    steps.front() = amqp::Step::cancel(tag);  // replaces opening the channel
                    declarations_.add(channel, std::move(steps));
                  });
}

/// Clients choose the patterns, so a failure to create a queue for them must not end the transport.
void TransportLoop::event_steps_failed(Participant& of, const std::vector<amqp::Step>& unanswered, std::uint16_t code,
                                       const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  of.events_set_up = false;
  look_again_ = true;
  of.events.retell({});
  of.events_not_before = std::max(of.events_not_before + events_pause, now);
  if (on_lost_node(why)) of.topology.move_events_queue();
  log::warning("the broker closed the channel of events; it is opened again",
               {{"reason", why}, {"during", unanswered.empty() ? std::string() : unanswered.front().text()}});
  if (unanswered.empty() || !for_good(code, why)) return;
  for (const auto& pattern : of.events.refuse_all()) refuse_pattern(of, pattern, why);
}

/// A pattern that the broker refuses affects no other: other patterns stay bound, and events continue to arrive on
/// their own channel. Only steps that were sent after the refused one are sent again.
void TransportLoop::bindings_failed(Participant& of, std::vector<amqp::Step> unanswered, std::uint16_t code,
                                    const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  of.bindings_set_up = false;
  look_again_ = true;
  const bool of_the_queue = on_lost_node(why) || (code == 404 && why.find("no queue") != std::string::npos);
  if (unanswered.empty() || unanswered.front().kind != amqp::Step::Kind::bind || of_the_queue) {
    // The events queue recovers by itself: its consumer is cancelled.
    of.bindings_not_before = now + events_pause;
    log::warning("the broker closed the channel of bindings; it is opened again",
                 {{"reason", why}, {"during", unanswered.empty() ? std::string() : unanswered.front().text()}});
  } else {
    const std::string pattern = unanswered.front().key;
    unanswered.erase(unanswered.begin());
    if (code == 403) bounds_.patterns.add(pattern, why, now);
    refuse_pattern(of, pattern, why);
  }
  of.events.again(changes(unanswered));
}

void TransportLoop::refuse_pattern(Participant& of, const std::string& pattern, const std::string& why) {
  of.events.refused(pattern);
  ++of.patterns_refused;
  of.something_ran = true;
  if (const auto left_out = refusals_said_.due(std::chrono::steady_clock::now()))
    log::warning("the broker closed a channel for a topic pattern that it refuses; other patterns are not affected",
                 {{"reason", why}, {"pattern", pattern}, {"left_out", *left_out}});
  if (of.callbacks.on_event_refused) of.callbacks.on_event_refused(pattern, why);
}

}  // namespace nuropb::mesh
