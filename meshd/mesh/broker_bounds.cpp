#include "meshd/mesh/broker_bounds.hpp"

#include <algorithm>
#include <charconv>

namespace nuropb::mesh {

void RefusedTopics::add(const std::string& topic, const std::string& why, SteadyTime now) {
  const auto [at, fresh] = refused_.insert_or_assign(topic, Refused{why, now + remembered});
  if (!fresh) return;
  oldest_first_.push_back(at->first);
  if (oldest_first_.size() <= most) return;
  refused_.erase(oldest_first_.front());
  oldest_first_.pop_front();
}

std::optional<std::string> RefusedTopics::find(const std::string& topic, SteadyTime now) const {
  if (refused_.empty()) return {};
  const auto found = refused_.find(topic);
  if (found == refused_.end() || now >= found->second.until) return {};
  return found->second.why;
}

void RefusedTopics::clear() {
  refused_.clear();
  oldest_first_.clear();
}

BrokerBounds::Trust BrokerBounds::trust(MessageType type, const std::string& key, std::size_t size) const {
  if (size > largest_taken_ && !largest_) return Trust::size_untried;
  if (type == MessageType::event && !taken_topics_.contains(key)) return Trust::topic_untried;
  return Trust::known;
}

std::optional<std::string> BrokerBounds::refuses(MessageType type, const std::string& key, std::size_t size,
                                                 SteadyTime now) const {
  if (too_large(size))
    return "the broker accepts no message above " + std::to_string(*largest_) + " bytes, and this one has " +
           std::to_string(size) + " (its reason: " + largest_why_ + ")";
  if (type != MessageType::event) return {};
  if (const auto why = refused_topics_.find(key, now)) return "the broker has refused this topic: " + *why;
  return {};
}

void BrokerBounds::fresh() {
  largest_taken_ = small;
  largest_.reset();
  largest_why_.clear();
  refuses_topics_ = false;
  taken_topics_.clear();
  refused_topics_.clear();
  patterns.clear();
}

void BrokerBounds::took(MessageType type, const std::string& key, std::size_t size) {
  largest_taken_ = std::max(largest_taken_, size);
  if (type != MessageType::event) return;
  if (taken_topics_.size() >= most_topics) taken_topics_.clear();
  taken_topics_.insert(key);
}

bool BrokerBounds::Said::means(MessageType type, const std::string& key, std::size_t size) const {
  switch (kind) {
    case Kind::size: return size > largest;
    case Kind::topic: return type == MessageType::event && (cut ? key.starts_with(topic) : key == topic);
    case Kind::other: return false;
  }
  return false;
}

BrokerBounds::Said BrokerBounds::read(std::uint16_t code, std::string_view why) const {
  constexpr std::string_view is_larger = " is larger than ", max_size = "max size ", topic = "access to topic '",
                             cut = "...";
  Said said;
  if (const auto at = why.find(is_larger); (code == 406 || code == 311) && at != std::string_view::npos) {
    // "configured max size 8", or "max size 536870912" if it is RabbitMQ's built-in limit.
    const auto number = why.find(max_size, at);
    if (number == std::string_view::npos) return said;
    const char* const begin = why.data() + number + max_size.size();
    if (std::from_chars(begin, why.data() + why.size(), said.largest).ec == std::errc()) said.kind = Kind::size;
    return said;
  }
  if (const auto at = why.find(topic); code == 403 && at != std::string_view::npos) {
    // A topic may contain any text, including these words, so its end is searched from the end.
    const std::string_view rest = why.substr(at + topic.size());
    const auto end = rest.rfind("' in exchange '" + events_exchange_ + "'");
    said.kind = Kind::topic;
    said.cut = end == std::string_view::npos;
    said.topic = rest.substr(0, end);
    if (said.cut && said.topic.ends_with(cut)) said.topic.resize(said.topic.size() - cut.size());
  }
  return said;
}

void BrokerBounds::refused(const Said& said, MessageType type, const std::string& key, const std::string& why,
                           SteadyTime now) {
  if (said.kind == Kind::size) {
    largest_ = said.largest;
    largest_why_ = why;
    // A broker whose limit is below an accepted size has been reconfigured meanwhile.
    largest_taken_ = std::min(largest_taken_, said.largest);
  } else if (type == MessageType::event && (said.kind == Kind::topic || why.starts_with("403 "))) {
    // Or the events exchange itself.
    refuses_topics_ = true;
    refused_topics_.add(key, why, now);
    // The user's permissions may have changed, so other topics that were accepted may be refused now.
    if (taken_topics_.contains(key)) taken_topics_.clear();
  }
}

}  // namespace nuropb::mesh
