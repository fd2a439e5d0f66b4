// What an edge counts and measures of its consumers' requests: into its segment, where meshd reads it for the page of
// metrics (docs/tasks/metrics.md).

#include "edge/edge.hpp"

namespace nuropb::edge {

/// Its answer has just been handed to its socket.
void Edge::measure_answered(const PendingRequests::Taken& asked, const records::Stages& stages) {
  using latency::EdgeStage;
  const std::uint64_t now = latency::to_us(clock_.now()), taken = latency::to_us(link_.taken_at());
  if (stages.taken_us > 0) link_.measure(EdgeStage::return_ring, latency::between(stages.taken_us, taken));
  link_.measure(EdgeStage::edge_out, latency::between(taken, now));
  link_.measure(EdgeStage::whole, latency::between(latency::to_us(asked.arrived), now));
}

/// It leaves with these outstanding. Where its messages are kept, meshd has them, and answers whoever resumes.
void Edge::count_abandoned(ConsumerHandler& handler) {
  for (const PendingRequest& request : handler.requests().list) {
    if (!request.trace_id.empty()) count_outcome(RequestOutcome::abandoned);
  }
}

/// Of the moment: what meshd reads of it is never older than a tick while requests are pending.
void Edge::show_state() {
  link_.set(shm::EdgeCounter::sessions, connections_);
  link_.set(shm::EdgeCounter::pending, pending_.size());
  link_.set(shm::EdgeCounter::draining, phase_ == Phase::serving ? 0 : 1);
}

}  // namespace nuropb::edge
