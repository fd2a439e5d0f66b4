#include "meshd/mesh/out_queue.hpp"

#include <algorithm>
#include <iterator>

namespace nuropb::mesh {
namespace {

bool of_no_use(const Outgoing& message, SteadyTime now) {
  return (message.deadline && *message.deadline <= now) ||
         (message.abandoned && message.abandoned->load(std::memory_order_relaxed));
}

}  // namespace

Outgoing OutQueue::take_front() {
  Outgoing out = std::move(waiting_.front().message);
  waiting_.pop_front();
  return out;
}

std::vector<Outgoing> OutQueue::expire(SteadyTime now, bool front_stays) {
  const auto first = waiting_.begin() + (front_stays && !waiting_.empty() ? 1 : 0);
  const auto first_expired = std::stable_partition(
      first, waiting_.end(), [now](const Waiting& each) { return !of_no_use(each.message, now); });
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
