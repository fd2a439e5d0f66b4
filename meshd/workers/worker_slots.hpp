#pragma once
// Which slot and generation a worker gets. Pure.
//
// A generation is never given twice for one slot, also over restarts of meshd and without a file: it starts at the
// wall clock's tenths of a second modulo 2^24, which comes round after 19 days; no answer lives that long (the longest
// TTL is 12 h, the response queue is gone a minute after us). A worker that held a slot under an earlier meshd takes it
// over with its generation; a newcomer that was given the same slot in between is told apart by its generation, so a
// worker is always named by both.

#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class WorkerSlots {
 public:
  /// `now_ms` is the wall clock when this meshd started, in milliseconds.
  WorkerSlots(std::uint32_t max_workers, std::uint64_t now_ms);

  /// A place for a new worker; nothing if all are taken.
  std::optional<WorkerId> claim();
  /// The place that an earlier meshd gave (the caller has opened its ticket), once; nothing if a worker has had it since we
  /// started, or all are taken.
  std::optional<WorkerId> reclaim(WorkerId id);
  /// Whether reclaim() would give it.
  [[nodiscard]] bool reclaimable(WorkerId id) const;
  void release(WorkerId id);
  [[nodiscard]] std::size_t taken() const { return taken_.size(); }

 private:
  std::uint32_t max_workers_;
  std::uint32_t next_generation_;
  void note(WorkerId id);
  std::set<WorkerId> taken_;
  std::deque<WorkerId> used_;  // in this life, the last of them
};

}  // namespace nuropb::meshd
