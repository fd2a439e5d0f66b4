#include "meshd/mesh/trial_queue.hpp"

#include <algorithm>
#include <iterator>

namespace nuropb::mesh {

/// The source's entry; gives the source a turn if it had none, because a message of it now waits.
TrialQueue::Source& TrialQueue::with_turn(std::uint64_t number, bool first) {
  Source& source = sources_[number];
  if (source.waiting.empty()) turns_.insert(first ? turns_.begin() : turns_.end(), number);
  return source;
}

void TrialQueue::push(OutQueue::Waiting&& waiting, bool follows, std::uint64_t after) {
  const bool ordered = waiting.message.type != MessageType::response;
  Source& source = with_turn(source_of(waiting.message), false);
  numbers_.insert(waiting.number);
  source.bytes += waiting.message.body.size();
  source.not_follower += follows ? 0 : 1;
  source.waiting.push_back({std::move(waiting), follows, ordered ? after : 0});
}

void TrialQueue::again(std::vector<Outgoing>&& messages) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    settled(source_of(*message));
    Source& source = with_turn(source_of(*message), true);
    numbers_.insert(0);  // messages that must follow it wait for it again
    source.bytes += message->body.size();
    ++source.not_follower;
    source.waiting.push_front({{std::move(*message), 0}});
  }
}

std::size_t TrialQueue::bytes(std::uint64_t source) const {
  const auto found = sources_.find(source);
  return found == sources_.end() ? 0 : found->second.bytes;
}

std::vector<OutQueue::Waiting> TrialQueue::go_home() {
  std::vector<OutQueue::Waiting> out;
  for (auto at = turns_.begin(); at != turns_.end();) {
    const auto source = sources_.find(*at);
    if (source->second.not_follower > 0 || source->second.on_their_way > 0) {
      ++at;
      continue;
    }
    while (!source->second.waiting.empty()) out.push_back(pop(source->second).waiting);
    at = turns_.erase(at);
    forget_if_done(source);
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return out;
}

const Outgoing* TrialQueue::next(const BrokerBounds& bounds, Progress progress, SteadyTime now) {
  if (progress.on_their_way == 0) alone_ = false;
  std::erase_if(pausing_, [now](const auto& one) { return one.second <= now; });
  if (current_) return &sources_.at(*current_).waiting.front().waiting.message;
  for (const std::uint64_t number : turns_) {
    const Source& source = sources_.at(number);
    const Entry& entry = source.waiting.front();
    const Outgoing& message = entry.waiting.message;
    const std::size_t size = message.body.size();
    // A message that is useless or known to be refused will not be published, so it need not wait for anything.
    if (!OutQueue::of_no_use(message, now) && !bounds.refuses(message.type, message.routing_key, size, now)) {
      if (source.not_follower == 0 || entry.after > progress.settled) continue;
      const auto trust = bounds.trust(message.type, message.routing_key, size);
      const bool tried = trust != BrokerBounds::Trust::known;
      if (tried && pausing_.contains(number)) continue;
      current_alone_ = trust == BrokerBounds::Trust::size_untried ||
                       (tried && (bounds.refuses_topics() || message.routing_key.size() > longest_shared_topic));
      const std::size_t most = current_alone_ ? 1 : tried ? most_topics : most_known;
      // Does not pass a message that must be alone, because that one would otherwise never be alone.
      if (alone_ || progress.on_their_way >= most) return nullptr;
    }
    current_ = number;
    return &message;
  }
  return nullptr;
}

TrialQueue::Entry TrialQueue::pop(Source& from) {
  Entry out = std::move(from.waiting.front());
  from.waiting.pop_front();
  from.bytes -= out.waiting.message.body.size();
  from.not_follower -= out.follows ? 0 : 1;
  numbers_.erase(numbers_.find(out.waiting.number));
  return out;
}

void TrialQueue::forget_if_done(Sources::iterator source) {
  const Source& of = source->second;
  if (of.waiting.empty() && of.on_their_way == 0) sources_.erase(source);
}

Outgoing TrialQueue::take(bool sent) {
  const auto from = sources_.find(*current_);
  Outgoing out = pop(from->second).waiting.message;
  from->second.on_their_way += sent ? 1 : 0;
  // The next turn belongs to another source.
  turns_.erase(std::find(turns_.begin(), turns_.end(), *current_));
  if (!from->second.waiting.empty()) turns_.push_back(*current_);
  alone_ = alone_ || (sent && current_alone_);
  current_.reset();
  written.reset();
  forget_if_done(from);
  return out;
}

void TrialQueue::settled(std::uint64_t source) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return;
  if (found->second.on_their_way > 0) --found->second.on_their_way;
  forget_if_done(found);
}

std::optional<Outgoing> TrialQueue::interrupted(unsigned most) {
  alone_ = false;
  if (current_ && written && ++sources_.at(*current_).waiting.front().interrupted >= most) return take(false);
  current_.reset();
  written.reset();
  return {};
}

void TrialQueue::refused(std::uint64_t source, SteadyTime now) {
  // Messages without a source of their own have nothing in common, so one refusal does not affect the others.
  if (source > Outgoing::no_source) pausing_[source] = now + pause_after_refusal;
}

std::vector<Outgoing> TrialQueue::expire(SteadyTime now) {
  std::vector<Outgoing> out;
  for (auto at = turns_.begin(); at != turns_.end();) {
    const auto source = sources_.find(*at);
    const bool begun = current_ == *at && written.has_value();
    if (current_ == *at && !begun) current_.reset();
    std::size_t stay = source->second.waiting.size();
    for (bool first = true; stay > 0; --stay, first = false) {
      // One full round: entries that stay go to the back, in their order.
      Entry entry = pop(source->second);
      if (!(first && begun) && OutQueue::of_no_use(entry.waiting.message, now)) {
        out.push_back(std::move(entry.waiting.message));
        continue;
      }
      numbers_.insert(entry.waiting.number);
      source->second.bytes += entry.waiting.message.body.size();
      source->second.not_follower += entry.follows ? 0 : 1;
      source->second.waiting.push_back(std::move(entry));
    }
    if (!source->second.waiting.empty()) {
      ++at;
      continue;
    }
    at = turns_.erase(at);
    forget_if_done(source);
  }
  return out;
}

std::vector<Outgoing> TrialQueue::take_all() {
  std::vector<Outgoing> out;
  for (auto& [number, source] : sources_) {
    for (Entry& each : source.waiting) out.push_back(std::move(each.waiting.message));
  }
  sources_.clear();
  turns_.clear();
  numbers_.clear();
  current_.reset();
  written.reset();
  return out;
}

}  // namespace nuropb::mesh
