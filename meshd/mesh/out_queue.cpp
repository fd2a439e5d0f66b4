#include "meshd/mesh/out_queue.hpp"

#include <algorithm>
#include <iterator>

namespace nuropb::mesh {

bool OutQueue::of_no_use(const Outgoing& message, SteadyTime now) {
  return (message.deadline && *message.deadline <= now) ||
         (message.abandoned && message.abandoned->load(std::memory_order_relaxed));
}

OutQueue::Waiting OutQueue::take_numbered() {
  Waiting out = std::move(waiting_.front());
  waiting_.pop_front();
  return out;
}

void OutQueue::put_back(std::vector<Waiting>&& taken) {
  waiting_.insert(waiting_.begin(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
}

std::vector<Outgoing> OutQueue::expire(SteadyTime now) {
  const auto first_expired = std::stable_partition(
      waiting_.begin(), waiting_.end(), [now](const Waiting& each) { return !of_no_use(each.message, now); });
  std::vector<Outgoing> out;
  for (auto at = first_expired; at != waiting_.end(); ++at) out.push_back(std::move(at->message));
  waiting_.erase(first_expired, waiting_.end());
  return out;
}

std::vector<Outgoing> OutQueue::take_all() {
  std::vector<Outgoing> out;
  for (Waiting& each : waiting_) out.push_back(std::move(each.message));
  waiting_.clear();
  return out;
}

}  // namespace nuropb::mesh
