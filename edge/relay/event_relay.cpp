#include "edge/relay/event_relay.hpp"

#include <string>

#include "edge/link/mesh_link.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/protocol/shared_message.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/relay/subscriptions.hpp"
#include "edge/sessions/ahead.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/session_slots.hpp"

namespace nuropb::edge {

void EventRelay::on_event(const records::MeshEvent& event) {
  const auto& slots = subscriptions_.match(event.handler, event.topic);
  if (slots.empty()) return;
  const EventTarget target(event.target);
  const std::string text = encode_event(event);
  SharedMessage message(text, false);
  const QueueRules::Match rule = queue_rules_.find(event.topic);
  for_each_ahead(
      slots.size(), [&](std::size_t n) { return slots_.find(static_cast<std::uint32_t>(slots[n])); },
      [&](ConsumerHandler& handler) {
        if (!target.includes(handler.user_id())) return;
        link_.count(shm::EdgeCounter::events);
        handler.write_event(message, event.topic, rule);
      });
}

void EventRelay::on_subscription_ended(const records::SubscriptionEnded& record) {
  if (ConsumerHandler* const handler = slots_.find({record.session, record.serial}))
    end_subscription(*handler, record.topic, record.error);
}

void EventRelay::end_subscription(ConsumerHandler& handler, std::string_view topic, std::string_view raw_error) {
  subscriptions_.remove(handler, topic);
  if (raw_error.empty()) return;
  // An unsolicited error has the shape of 0.1.4, without an envelope.
  resume_.send(handler, raw_error);
}

}  // namespace nuropb::edge
