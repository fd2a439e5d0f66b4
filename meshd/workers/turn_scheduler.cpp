#include "meshd/workers/turn_scheduler.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "common/crash_points.hpp"

namespace nuropb::meshd {
namespace {

// What one worker may have read in one turn before the next one's turn comes; and before its answers are shown to it, which
// it then sends while we read on.
constexpr int turn_records = 64;
constexpr std::size_t turn_bytes = 1U << 20;

}  // namespace

void TurnScheduler::activate(Worker& worker) {
  if (!worker.loop.in_turns) {
    worker.loop.in_turns = true;
    worker.cancel_sleep();
    order_.push_back(worker.id());
  }
  schedule();
}

void TurnScheduler::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  boost::asio::post(io_, [this] { turn(); });
}

void TurnScheduler::schedule_if_needed() {
  if (!order_.empty() || handler_.congested()) schedule();
}

void TurnScheduler::forget(WorkerId worker) { std::erase(order_, worker); }

void TurnScheduler::turn() {
  scheduled_ = false;
  // Requests that the transport has no room for stay here, rings stay unread, and edges stop reading from sockets.
  // The transport's next batch wakes us.
  handler_.publish_waiting();
  if (!handler_.congested()) {
    std::vector<WorkerId> order;
    order.swap(order_);
    for (const WorkerId id : order) {
      Worker* const worker = workers_.find(id);
      if (!worker) continue;
      if (handler_.congested()) {
        order_.push_back(id);  // unread in this turn, first in the next
        continue;
      }
      const bool more = read(*worker);
      workers_.touch(*worker);  // what was settled in reading is told
      handler_.publish_read();
      NUROPB_CRASH_POINT(requests_handed_over);
      if (!worker->why().empty()) {
        workers_.detach(id, worker->why(), true);
      } else if (more || !worker->prepare_sleep()) {
        order_.push_back(id);
      } else {
        worker->loop.in_turns = false;
      }
    }
    if (!order_.empty() && !handler_.congested()) schedule();
  }
  workers_.flush();
}

/// True if the budget ended before the ring did.
bool TurnScheduler::read(Worker& worker) {
  shm::RecordHeader header;
  std::size_t bytes = 0;
  bool more = true;
  times_.reading = times_.batch = clock_.now();
  int records = 0;
  for (; records < turn_records && bytes < turn_bytes; ++records) {
    if (worker.next(header, payload_) != Worker::Next::record) {
      more = false;
      break;
    }
    bytes += header.length;
    if (!handle(worker, header)) {
      more = false;
      break;
    }
  }
  worker.end_of_reading();
  load_.handled(static_cast<std::size_t>(records));
  return more;
}

/// The record in payload_. False after a violation: nothing more is read from the worker.
bool TurnScheduler::handle(Worker& worker, const shm::RecordHeader& header) {
  const RecordResult result = handler_.handle(worker, header, payload_);
  if (result.is_violation()) {
    worker.violate("record type " + std::to_string(header.type) + ": " + result.why());
    return false;
  }
  if (result.is_handled()) worker.settle(worker.begin_work());
  return true;
}

void TurnScheduler::drain(Worker& worker) {
  shm::RecordHeader header;
  // No more than lies there now: an edge that only claims to be dead could go on writing.
  std::size_t left = worker.unread();
  while (left > 0 && worker.next(header, payload_) == Worker::Next::record && handle(worker, header)) {
    left -= std::min<std::size_t>(left, sizeof(shm::RecordHeader) + header.length);
  }
  handler_.publish_read();
}

}  // namespace nuropb::meshd
