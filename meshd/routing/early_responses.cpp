#include "meshd/routing/early_responses.hpp"

#include "common/crash_points.hpp"

namespace nuropb::meshd {

void EarlyResponses::broker_ready() {
  if (until_ == SteadyTime::max()) until_ = clock_.now() + wait;
}

bool EarlyResponses::hold(Returned& response, const Receipt& receipt) {
  if (clock_.now() >= until_ || bytes_ + response.payload.size() > most_bytes) return false;
  bytes_ += response.payload.size();
  held_.emplace_back(std::move(response), receipt);
  return true;
}

void EarlyResponses::release(WorkerId worker, const std::function<void(Returned&&, const Receipt&)>& deliver,
                             const std::function<void(const Receipt&)>& drop) {
  std::vector<std::pair<Returned, Receipt>> held;
  std::swap(held, held_);
  bytes_ = 0;
  for (auto& [response, receipt] : held) {
    if (response.to.slot == worker.slot && response.to.generation == worker.generation) {
      deliver(std::move(response), receipt);
      NUROPB_CRASH_POINT(kept_answer_delivered);
    } else if (!hold(response, receipt)) {
      drop(receipt);
    }
  }
}

bool EarlyResponses::expire(const std::function<void(const Receipt&)>& drop) {
  if (held_.empty() || clock_.now() < until_) return false;
  for (const auto& [response, receipt] : held_) drop(receipt);
  held_.clear();
  bytes_ = 0;
  return true;
}

}  // namespace nuropb::meshd
