#include "meshd/workers/worker_slots.hpp"

#include <algorithm>

#include "common/ids.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t most_slots_remembered = 4096;

}  // namespace

WorkerSlots::WorkerSlots(std::uint32_t max_workers, std::uint64_t now_ms)
    : max_workers_(max_workers),
      next_generation_(static_cast<std::uint32_t>((now_ms / 100) & ReturnAddress::max_generation)) {}

std::optional<WorkerId> WorkerSlots::claim() {
  if (taken_.size() >= max_workers_) return {};
  // The lowest slot that nobody holds; there is one, because fewer than max_workers are taken.
  std::uint32_t slot = 0;
  for (const WorkerId& id : taken_) {
    if (id.slot > slot) break;
    if (id.slot == slot) ++slot;
  }
  const WorkerId id{slot, next_generation_};
  next_generation_ = (next_generation_ + 1) & ReturnAddress::max_generation;
  taken_.insert(id);
  note(id);
  return id;
}

bool WorkerSlots::reclaimable(WorkerId id) const {
  if (taken_.size() >= max_workers_ || id.slot > ReturnAddress::max_slot) return false;
  // One that had it in this life of ours: what we still hear of its former requests would be taken for news of later ones.
  return std::find(used_.begin(), used_.end(), id) == used_.end();
}

std::optional<WorkerId> WorkerSlots::reclaim(WorkerId id) {
  if (!reclaimable(id)) return {};
  taken_.insert(id);
  note(id);
  return id;
}

void WorkerSlots::note(WorkerId id) {
  used_.push_back(id);
  if (used_.size() > most_slots_remembered) used_.pop_front();
}

void WorkerSlots::release(WorkerId id) { taken_.erase(id); }

}  // namespace nuropb::meshd
