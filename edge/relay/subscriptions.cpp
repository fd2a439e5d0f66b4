#include "edge/relay/subscriptions.hpp"

#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {

void Subscriptions::add(ConsumerHandler& handler, std::string_view topic) {
  const bool fresh = handler.relayed().topics.emplace(topic).second;
  if (fresh && !handler.numbered()) slots_[index_of(handler.identity())].add(topic, handler.slot());
}

void Subscriptions::remove(ConsumerHandler& handler, std::string_view topic) {
  auto& topics = handler.relayed().topics;
  const auto found = topics.find(topic);
  if (found == topics.end()) return;
  topics.erase(found);
  slots_[index_of(handler.identity())].remove(topic, handler.slot());
}

void Subscriptions::remove_all(ConsumerHandler& handler) {
  leave_to_meshd(handler);
  handler.relayed().topics.clear();
}

void Subscriptions::leave_to_meshd(ConsumerHandler& handler) {
  for (const std::string& topic : handler.relayed().topics)
    slots_[index_of(handler.identity())].remove(topic, handler.slot());
}

const std::vector<TopicIndex::Id>& Subscriptions::match(HandlerKind identity, std::string_view topic) {
  slots_[index_of(identity)].match(topic, matches_);
  return matches_;
}

}  // namespace nuropb::edge
