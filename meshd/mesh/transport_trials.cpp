// The transport's thread: messages that the broker may refuse, or that are too large for one write, and their channel
// (trial_queue.hpp). Messages that are known to be accepted use the channel of transport_publish.cpp and are not
// affected.

#include "common/crash_points.hpp"
#include "common/log.hpp"
#include "meshd/mesh/envelope.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

// Part of a large body that is sent in one turn, so that the other channel gets its turns in between.
constexpr std::size_t most_of_a_body = 256U << 10;
// A source may use this fraction of the byte limit here.
constexpr std::size_t share_of_source = 4;
// A message during whose writing the connection was lost this many times is assumed to be the cause.
constexpr unsigned most_interruptions = 2;

/// Codes that refuse one message before it is routed. Any other code may refer to something that happened to the
/// channel later.
bool about_a_message(std::uint16_t code) { return code == 403 || code == 404 || code == 406 || code == 311; }

}  // namespace

/// Why a message cannot be sent; also counts it.
std::optional<std::pair<Outcome, std::string>> TransportLoop::unsendable(const Outgoing& message, SteadyTime now) {
  if (message.abandoned && message.abandoned->load(std::memory_order_relaxed))
    return std::pair(Outcome::expired, std::string("its sender no longer waits for it"));
  if (message.deadline && *message.deadline <= now)
    return std::pair(Outcome::expired, std::string("its deadline passed before it could be sent"));
  if (auto why = bounds_.refuses(message.type, message.routing_key, message.body.size(), now)) {
    ++(bounds_.too_large(message.body.size()) ? counts_.refused_size : counts_.refused_topic);
    return std::pair(Outcome::refused, std::move(*why));
  }
  return {};
}

bool TransportLoop::fits_one_write(const Outgoing& message) const {
  return message.body.size() + amqp::Connection::publish_overhead <= connection_->largest_write();
}

/// Moves the front of the queue to the trials, or refuses it there: all sources share one limit, so a source may use
/// only its share. Returns true if the front was removed.
bool TransportLoop::put_on_trial(Participant& from) {
  const Outgoing& message = from.queue.front();
  const bool known =
      bounds_.trust(message.type, message.routing_key, message.body.size()) == BrokerBounds::Trust::known &&
      fits_one_write(message);
  if (known && !from.trials.has_before(message)) return false;
  if (const std::size_t others = from.trials.bytes(message.source);
      message.source > Outgoing::no_source && others > 0 &&
      others + message.body.size() > settings_.queued_bytes / share_of_source) {
    ++counts_.refused_otherwise;
    report(from, from.queue.take_front(), Outcome::refused,
           "too many untried messages of this client are waiting for the broker's confirmation");
    return true;
  }
  from.trials.push(from.queue.take_numbered(), known, from.unconfirmed.published_ever());
  return true;
}

Result<void> TransportLoop::publish_trials(Participant& from, SteadyTime now) {
  if (from.trials.empty() || !may_publish(from)) return {};
  const std::uint16_t channel = from.channel(trial_channel);
  if (!from.trials_set_up) {
    from.trials_set_up = look_again_ = true;
    declarations_.add(channel, steps_of(trial_channel, settings_, from.settings, from.topology));
  }
  if (!declarations_.settled(channel)) return {};
  while (const Outgoing* const message =
             from.trials.next(bounds_, {from.trials_unconfirmed.size(), from.unconfirmed.settled_ever()}, now)) {
    if (!from.trials.written) {
      if (holding_) return {};
      if (const auto reason = unsendable(*message, now)) {
        report(from, from.trials.take(false), reason->first, reason->second);
        continue;
      }
    }
    const auto gone = write_trial(from, *message, now);
    if (!gone) return tl::unexpected(gone.error());
    if (!*gone) {
      no_room_ = true;
      return {};
    }
  }
  return {};
}

/// Returns true if the message has left the queue; false if it, or the rest of it, has to wait for room.
Result<bool> TransportLoop::write_trial(Participant& from, const Outgoing& message, SteadyTime now) {
  const std::uint16_t channel = from.channel(trial_channel);
  const bool whole = fits_one_write(message);
  if (!from.trials.written) {
    const Envelope envelope(message, settings_, from.topology.response_queue, now);
    if (const auto ok = connection_->publishable(message.routing_key, envelope.properties); !ok) {
      ++counts_.refused_frame;
      report(from, from.trials.take(false), Outcome::refused, ok.error().text());
      return true;
    }
    if (!connection_->send_room(amqp::Connection::publish_overhead + (whole ? message.body.size() : 0))) return false;
    if (whole) {
      const auto sent = connection_->publish(channel, envelope.exchange, message.routing_key, envelope.mandatory,
                                             envelope.properties, message.body);
      // If the write failed, all of it may nevertheless have been sent, so it counts as in flight from here on.
      on_trial(from);
      if (!sent) return tl::unexpected(sent.error());
      return true;
    }
    from.trials.written = 0;
    if (const auto sent = connection_->publish_head(channel, envelope.exchange, message.routing_key, envelope.mandatory,
                                                    envelope.properties, message.body.size());
        !sent)
      return tl::unexpected(sent.error());
  }
  std::size_t& written = *from.trials.written;
  const auto part = connection_->publish_body(channel, std::string_view(message.body).substr(written), most_of_a_body);
  if (!part) return tl::unexpected(part.error());
  written += *part;
  if (written < message.body.size()) return false;
  on_trial(from);
  return true;
}

void TransportLoop::on_trial(Participant& from) {
  moved_ = true;
  from.trials_unconfirmed.published(from.trials.take(true), true);
  NUROPB_CRASH_POINT(request_on_its_way);
}

void TransportLoop::trial_closed(Participant& owner, std::uint16_t code, const std::string& why) {
  const auto said = bounds_.read(code, why);
  const auto now = std::chrono::steady_clock::now();
  const std::string detail = "the broker closed the channel: " + why;
  owner.trials_set_up = false;
  look_again_ = true;
  bool found = false;
  const auto is_it = [&](const Report& one) {
    found = true;
    bounds_.refused(said, one.type, one.routing_key, why, now);
    // After a refusal because of size no message that large is tried any more.
    if (said.kind != BrokerBounds::Kind::size) owner.trials.refused(TrialQueue::source_of(one.type, one.source), now);
    refused_by_broker(said, why, one.routing_key);
  };
  const bool only_one = owner.trials_unconfirmed.size() == 1 && about_a_message(code);
  auto untouched = owner.trials_unconfirmed.lost(detail, [&](const Report& one) {
    const bool means =
        said.means(one.type, one.routing_key, one.body_size) || (only_one && said.kind == BrokerBounds::Kind::other);
    if (means) is_it(one);
    return means;
  });
  // A partly sent message was not routed. If no other message is the cause, this one is.
  if (auto half = owner.trials.interrupted(found ? UINT_MAX : 1)) {
    is_it({Outcome::refused, half->type, half->routing_key, {}, 0, {}, {}, false, {}, half->body.size(), half->source});
    report(owner, std::move(*half), Outcome::refused, detail);
  }
  owner.trials.again(std::move(untouched));
  if (found) return;
  // The cause is unknown, so messages go one at a time from now on. A channel that is closed repeatedly without an
  // identifiable cause ends the connection, as for any other channel.
  bounds_.be_careful();
  log::warning("the broker closed a channel; it is opened again",
               {{"channel", owner.channel(trial_channel)}, {"reason", why}, {"during", ""}});
  owner.trials_set_up = true;
  if (const auto again = set_up_again(owner.channel(trial_channel), true); !again)
    closed_ = Ended{{"the broker closed a channel: " + why, {}, {}}, false};
}

void TransportLoop::refused_by_broker(const BrokerBounds::Said& said, const std::string& why,
                                      std::string_view routing_key) {
  using Kind = BrokerBounds::Kind;
  ++(said.kind == Kind::size    ? counts_.refused_size
     : said.kind == Kind::topic ? counts_.refused_topic
                                : counts_.refused_otherwise);
  const auto left_out = refusals_said_.due(std::chrono::steady_clock::now());
  if (!left_out) return;
  log::warning("the broker closed a channel for a message that it refuses; other messages are not affected",
               {{"reason", why},
                {"to", std::string(routing_key)},
                {"hint", said.kind == Kind::size ? "limits.message_bytes exceeds the broker's max_message_size"
                                                 : "the permissions of the broker's user determine what it may do"},
                {"left_out", *left_out}});
}

/// The connection is lost. A message that was being written was not routed and is sent again, but not indefinitely,
/// because it may be the cause.
void TransportLoop::trials_lost(Participant& of, const std::string& why) {
  of.trials_unconfirmed.lost(why);
  of.trials_set_up = false;
  auto poison = of.trials.interrupted(most_interruptions);
  if (!poison) return;
  ++counts_.refused_interrupted;
  log::warning("a message is dropped: the connection was lost each time that it was being written",
               {{"to", poison->routing_key}, {"bytes", poison->body.size()}, {"reason", why}});
  report(of, std::move(*poison), Outcome::refused,
         "the connection to the broker was lost " + std::to_string(most_interruptions) +
             " times while it was being written: " + why);
}

}  // namespace nuropb::mesh
