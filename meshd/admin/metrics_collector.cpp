#include "meshd/admin/metrics_collector.hpp"

#include <unistd.h>

#include <ctime>

#include "common/log.hpp"
#include "common/process_figures.hpp"
#include "shm/layout.hpp"

namespace nuropb::meshd {
namespace {

double seconds_of(clockid_t clock) {
  timespec at{};
  if (::clock_gettime(clock, &at) != 0) return 0;
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

}  // namespace

SlotCounts& MetricsCollector::slot_counts(std::uint32_t slot) {
  SlotCounts& out = gone_[slot];
  out.slot = slot;
  return out;
}

SlotCounts MetricsCollector::look_at(Worker& worker) {
  const shm::MeshdSegments& segments = worker.segments();
  SlotCounts out = slot_counts(worker.id().slot);
  out.generation = worker.id().generation;
  out.present = true;
  out.draining = segments.counter(shm::EdgeCounter::draining) != 0;
  out.sessions = worker.sessions().open();
  out.pending = segments.counter(shm::EdgeCounter::pending);
  out.cpu_us = segments.counter(shm::EdgeCounter::cpu_us);
  out.open_files = segments.counter(shm::EdgeCounter::open_files);
  out.most_files = segments.counter(shm::EdgeCounter::most_files);
  out.resident_bytes = resident_bytes(worker.peer().pid);
  out.outbox_bytes = worker.outbox_bytes();
  out.request_ring = worker.unread();
  out.return_ring = worker.unheard();
  out.return_stalls += worker.stalls();
  out.edge.add(segments);
  return out;
}

void MetricsCollector::keep(Worker& worker) {
  SlotCounts& kept = slot_counts(worker.id().slot);
  kept.edge.add(worker.segments());
  kept.return_stalls += worker.stalls();
  unmeasured_ += worker.departures().lost();
}

Readiness MetricsCollector::readiness() const {
  Readiness out;
  out.broker = from_.broker.state();
  out.needs_broker = from_.config.listen.ready_with_broker;
  from_.workers.each([&out](Worker& worker) {
    ++out.edges;
    if (worker.segments().counter(shm::EdgeCounter::draining) != 0) ++out.draining;
  });
  return out;
}

Pages MetricsCollector::pages() {
  return {[this] { return metrics_page(count()); },
          [this] {
            const Readiness now = readiness();
            return Pages::Health{now.ready(), now.json()};
          }};
}

LoopCounts MetricsCollector::loop() const {
  LoopCounts out;
  out.auth = from_.sessions.failures();
  out.reports = from_.responses.reports();
  out.responses = from_.inbox.counters().responses;
  out.events = from_.inbox.counters().events;
  out.bytes_in = from_.inbox.counters().bytes;
  out.bytes_out = from_.requests.bytes();
  out.backend_wrong_keys = from_.snorky.counters().wrong_keys;
  out.backend_out_of_scope = from_.snorky.counters().out_of_scope;
  out.unmeasured = unmeasured_;
  out.stages = from_.tracing.stages();
  return out;
}

Counted MetricsCollector::count() {
  Counted counted;
  counted.events_dropped = from_.events.dropped();
  counted.refused = from_.quotas.refused();
  counted.workers = from_.workers.size();
  counted.resumes = {from_.detached.counters().detached, from_.resume.counters().resumed,
                     from_.resume.counters().failed, from_.detached.counters().ended};
  counted.mailboxes = from_.mailboxes.count();
  counted.mailbox_bytes = from_.mailboxes.bytes();
  counted.let_go = from_.mailboxes.let_go();
  counted.waiting = from_.detached.table().open();
  counted.killed_workers = from_.workers.killed();
  counted.admin_refused = from_.admin.refused();
  counted.clock_steps = from_.sessions.clock_steps();
  counted.dropped_log_lines = log::dropped();
  counted.loop = loop();
  counted.unmeasured = unmeasured_;
  counted.readiness = readiness();
  counted.request_ring_size = from_.config.rings.request_bytes;
  counted.return_ring_size = from_.config.rings.return_bytes;
  counted.started_at = started_at_;
  counted.cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  counted.resident_bytes = resident_bytes(::getpid());
  counted.open_files = open_files();
  counted.most_files = most_files();
  counted.abi = shm::abi;
  counted.ignored_variables = from_.config.ignored_variables.size();
  counted.runtime_restored = from_.runtime.restored();
  counted.keys = from_.authorizer.key_figures();
  counted.spans = from_.tracing.exported();
  auto slots = gone_;
  from_.workers.each([&](Worker& worker) {
    // Two generations may have one slot: one that has come again while the other is not seen to be gone.
    SlotCounts& slot = slots[worker.id().slot] = look_at(worker);
    counted.sessions += slot.sessions;
    counted.pending += slot.pending;
    counted.unmeasured += worker.departures().lost();
  });
  for (const auto& [number, slot] : slots) {
    counted.edges.add(slot.edge);
    counted.slots.push_back(slot);
  }
  from_.faces.each([&](Face& face) {
    counted.add(face.kind, face.manager, face.pushes, face.peers, face.sessions.sessions(),
                face.subscriptions.patterns());
    counted.users += face.sessions.users();
  });
  return counted;
}

}  // namespace nuropb::meshd
