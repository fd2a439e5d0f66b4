#pragma once
// Reads the request rings of all workers in turns: each worker within a budget of records and bytes, then the next. So no edge can
// keep the others from being read. While the mesh has no room nothing is read: rings fill up, and edges stop reading from their
// sockets.
//
// Owner thread: the event loop. A turn is a handler of its own in it, so that between two turns everything else has its chance.

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/scheduling_by_load.hpp"
#include "meshd/tracing/batch_times.hpp"
#include "meshd/workers/record_handler.hpp"
#include "meshd/workers/worker_pool.hpp"

namespace nuropb::meshd {

class TurnScheduler {
 public:
  TurnScheduler(boost::asio::io_context& io, const Clock& clock, BatchTimes& times, SchedulingByLoad& load,
                WorkerPool& workers, RecordHandler& handler)
      : io_(io), clock_(clock), times_(times), load_(load), workers_(workers), handler_(handler) {}

  /// There may be records of this worker.
  void activate(Worker& worker);
  /// A turn soon, if there is none on its way already.
  void schedule();
  /// The same if there is something to read, or to be handed to the mesh.
  void schedule_if_needed();
  /// What a dead edge took from its sockets, whole records only, is handled: a client that comes back for its answer gets it.
  void drain(Worker& worker);
  void forget(WorkerId worker);

 private:
  void turn();
  bool read(Worker& worker);
  bool handle(Worker& worker, const shm::RecordHeader& header);

  boost::asio::io_context& io_;
  const Clock& clock_;
  BatchTimes& times_;
  SchedulingByLoad& load_;
  WorkerPool& workers_;
  RecordHandler& handler_;
  std::vector<WorkerId> order_;  // workers that may have something to read
  bool scheduled_ = false;
  std::string payload_;  // reused for every record
};

}  // namespace nuropb::meshd
