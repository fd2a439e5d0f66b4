// The edge's part in events: who here has subscribed to what, and events of the mesh on their way to sockets.

#include <algorithm>

#include "edge/sessions/ahead.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {

void Edge::subscribed(ConsumerHandler& handler, std::string_view topic) {
  const bool fresh = handler.topics().emplace(topic).second;
  if (fresh && !handler.numbered())
    subscriptions_[index_of(handler.kind())].add(topic, handler.slot());  // else its events come by themselves
}

void Edge::unsubscribed(ConsumerHandler& handler, std::string_view topic) {
  const auto found = handler.topics().find(topic);
  if (found == handler.topics().end()) return;
  handler.topics().erase(found);
  subscriptions_[index_of(handler.kind())].remove(topic, handler.slot());
}

void Edge::forget_subscriptions(ConsumerHandler& handler) {
  for (const std::string& topic : handler.topics())
    subscriptions_[index_of(handler.kind())].remove(topic, handler.slot());
  handler.topics().clear();
  std::erase(to_subscribe_, &handler);
}

void Edge::on_accepted_again(ConsumerHandler& handler) {
  if (handler.topics().empty() && handler.standing().empty() && !handler.numbered()) return;
  to_subscribe_.push_back(&handler);
  subscribe_waiting();
}

void Edge::subscribe_waiting() {
  // A meshd that has just come knows no subscriptions. Twice is once for it, so a session that did not get all of its
  // topics into the ring begins anew.
  while (!to_subscribe_.empty() && link_.attached()) {
    ConsumerHandler& handler = *to_subscribe_.front();
    if (handler.state() == ConsumerHandler::State::open) {
      if (handler.numbered() && !tell_again(handler)) return;
      for (const std::string& topic : handler.topics()) {
        const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
        record_.clear();
        records::encode(records::Subscription{handler.slot(),
                                              handler.serial(),
                                              topic,
                                              to_ring_ms(clock_.now() + milliseconds(config_.request.max_ttl_ms)),
                                              {}},
                        record_);
        if (!link_.write(records::Type::subscribe, sequence, record_)) return;
        ++next_sequence_;
        pending_.add(sequence, handler.slot(), handler.requests(),
                     clock_.now() + milliseconds(config_.request.max_ttl_ms), "", topic);
      }
      if (!restore_standing(handler)) return;
      arm_timer();
    }
    to_subscribe_.pop_front();
    if (handler.numbered()) say_unsaid(handler);
  }
}

void Edge::on_mesh_event(const records::MeshEvent& event) {
  subscriptions_[index_of(event.handler)].match(event.topic, interested_);
  if (interested_.empty()) return;
  const EventTarget target(event.target);
  const std::string text = encode_event(event);
  SharedMessage message(text, false);
  const QueueRules::Match rule = queue_rules_.find(event.topic);
  for_each_ahead(
      interested_.size(), [this](std::size_t n) { return find(static_cast<std::uint32_t>(interested_[n])); },
      [&](ConsumerHandler& handler) {
        if (!target.includes(handler.user_id())) return;
        link_.count(shm::EdgeCounter::events);
        handler.write_event(message, event.topic, rule);
      });
}

void Edge::on_subscription_ended(const records::SubscriptionEnded& record) {
  ConsumerHandler* const handler = find(record.session);
  if (handler && handler->serial() == record.serial) subscription_lost(*handler, record.topic, record.error);
}

void Edge::subscription_lost(ConsumerHandler& handler, std::string_view topic, std::string_view raw_error) {
  unsubscribed(handler, topic);
  if (raw_error.empty()) return;  // it came by itself, numbered
  if (handler.numbered()) return say(handler, std::string(raw_error));
  handler.write_message(raw_error);  // no answer to anything: in the shape of what was not asked for
}

}  // namespace nuropb::edge
