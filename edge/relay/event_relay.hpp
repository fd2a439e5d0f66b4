#pragma once
// Events of the mesh on their way to the sockets that have subscribed to them, and subscriptions that end.
//
// Owner thread: the edge's io_context.

#include <string_view>

#include "common/config.hpp"
#include "common/queue_rules.hpp"
#include "common/records.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class MeshLink;
class ResumeRelay;
class SessionSlots;
class Subscriptions;

class EventRelay {
 public:
  EventRelay(const Config::Events& config, const SessionSlots& slots, MeshLink& link, Subscriptions& subscriptions,
             ResumeRelay& resume)
      : slots_(slots), link_(link), subscriptions_(subscriptions), resume_(resume), queue_rules_(config.when_full) {}

  void on_event(const records::MeshEvent& event);
  void on_subscription_ended(const records::SubscriptionEnded& record);
  /// Ends a subscription that meshd has refused, and tells the client. An empty error: it is told by a numbered message.
  void end_subscription(ConsumerHandler& handler, std::string_view topic, std::string_view raw_error);

 private:
  const SessionSlots& slots_;
  MeshLink& link_;
  Subscriptions& subscriptions_;
  ResumeRelay& resume_;
  QueueRules queue_rules_;
};

}  // namespace nuropb::edge
