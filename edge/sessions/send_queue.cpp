#include "edge/sessions/send_queue.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <utility>

namespace nuropb::edge {

struct SendQueue::Waiting {
  struct Item {
    Frame frame;
    std::uint32_t rule = 0;
    WhenFull when_full = WhenFull::close;
    std::string topic{};  ///< for `latest` only
  };
  using Place = std::list<Item>::iterator;
  static std::size_t cost(const Frame& frame) { return frame.size() + overhead; }

  Place push(Item item) {
    bytes += cost(item.frame);
    items.push_back(std::move(item));
    return std::prev(items.end());
  }
  void erase(Place place) {
    bytes -= cost(place->frame);
    if (place->when_full == WhenFull::latest) by_topic.erase(place->topic);
    items.erase(place);
  }

  std::list<Item> items;
  // Droppable items in the order of the queue, so that the front of either is the first of its kind.
  std::deque<Place> oldest, latest;
  std::map<std::string_view, Place> by_topic;  // for `latest`; the texts belong to the items
  std::size_t bytes = 0;
};

SendQueue::SendQueue(Connection& connection, std::size_t limit)
    : connection_(connection), limit_(limit), ahead_(std::min(ahead, limit / 2)) {}
SendQueue::~SendQueue() = default;

std::size_t SendQueue::waiting_bytes() const { return waiting_ ? waiting_->bytes : 0; }

void SendQueue::discard() { waiting_.reset(); }

MemoryBudget::Bytes SendQueue::memory() const {
  const std::size_t buffered = connection_.buffered_bytes(), own = connection_.own_bytes();
  const std::size_t places = waiting_ ? waiting_->items.size() * overhead : 0;
  return {own + places, buffered - own + waiting_bytes() - places};
}

std::uint64_t SendQueue::take_dropped() { return std::exchange(dropped_, 0); }

bool SendQueue::fits(std::size_t more) const { return waiting_bytes() + more + connection_.buffered_bytes() <= limit_; }

SendQueue::Waiting& SendQueue::wait() {
  if (!waiting_) waiting_ = std::make_unique<Waiting>();
  return *waiting_;
}

bool SendQueue::send(std::string_view text) {
  if (!direct()) return keep(prepare(text));
  connection_.send_text(text);
  return true;
}

bool SendQueue::send(const Frame& frame) {
  if (!direct()) return keep(frame);
  connection_.send_frame(frame);
  return true;
}

bool SendQueue::keep(const Frame& frame) {
  const bool room = make_room(Waiting::cost(frame), true);
  wait().push({frame});
  return room;
}

bool SendQueue::send(const Frame& frame, std::string_view topic, QueueRules::Match rule) {
  if (direct()) {
    hand(frame, rule.rule);
    return true;
  }
  const std::size_t cost = Waiting::cost(frame);
  switch (rule.when_full) {
    case WhenFull::close: return keep(frame);
    case WhenFull::drop_oldest: {
      if (!make_room(cost, false)) {
        drop(rule.rule);
        return true;
      }
      Waiting& waiting = wait();
      waiting.oldest.push_back(waiting.push({frame, rule.rule, rule.when_full}));
      return true;
    }
    case WhenFull::latest: break;
  }
  if (waiting_) {
    if (const auto found = waiting_->by_topic.find(topic); found != waiting_->by_topic.end()) {
      // It takes the place of its predecessor, because otherwise a topic that changes constantly would never reach the
      // front.
      drop(rule.rule);
      waiting_->bytes += cost - Waiting::cost(found->second->frame);
      found->second->frame = frame;
      make_room(0, true);
      return true;
    }
  }
  if (!make_room(cost, true)) {
    drop(rule.rule);
    return true;
  }
  Waiting& waiting = wait();
  const auto place = waiting.push({frame, rule.rule, rule.when_full, std::string(topic)});
  waiting.latest.push_back(place);
  waiting.by_topic.emplace(place->topic, place);
  return true;
}

/// Drops droppable events until this much more fits.
bool SendQueue::make_room(std::size_t more, bool also_latest) {
  for (;;) {
    if (fits(more)) return true;
    if (!waiting_) return false;
    auto* from = &waiting_->oldest;
    if (from->empty() && also_latest) from = &waiting_->latest;
    if (from->empty()) return false;
    drop(from->front()->rule);
    waiting_->erase(from->front());
    from->pop_front();
    if (waiting_->items.empty()) waiting_.reset();
  }
}

void SendQueue::drop(std::uint32_t rule) {
  if (left_out_.size() <= rule) left_out_.resize(rule + 1);
  ++left_out_[rule];
  ++dropped_;
}

void SendQueue::hand(const Frame& frame, std::uint32_t rule) {
  if (rule >= left_out_.size() || left_out_[rule] == 0) return connection_.send_frame(frame);
  connection_.send_text(with_dropped(frame.text(), std::exchange(left_out_[rule], 0)));
}

void SendQueue::move_front() {
  Waiting& waiting = *waiting_;
  const auto front = waiting.items.begin();
  if (front->when_full == WhenFull::drop_oldest) waiting.oldest.pop_front();
  if (front->when_full == WhenFull::latest) waiting.latest.pop_front();
  hand(front->frame, front->rule);
  waiting.erase(front);
  if (waiting.items.empty()) waiting_.reset();
}

void SendQueue::go_on() {
  while (waiting_ && connection_.buffered_bytes() < ahead_) move_front();
}

void SendQueue::hand_over() {
  while (waiting_) move_front();
}

std::string with_dropped(std::string_view event, std::uint32_t count) {
  std::string out(event.substr(0, event.size() - std::min<std::size_t>(2, event.size())));
  out.append(",\"dropped\":").append(std::to_string(count)).append("}}");
  return out;
}

}  // namespace nuropb::edge
