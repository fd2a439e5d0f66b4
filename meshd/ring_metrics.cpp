// What the ring loop measures of requests on their way, and what it tells of itself and of all workers.

#include <unistd.h>

#include <ctime>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/process_figures.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"
#include "shm/layout.hpp"

namespace nuropb::meshd {
namespace {

double seconds_of(clockid_t clock) {
  timespec at{};
  if (::clock_gettime(clock, &at) != 0) return 0;
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

/// A text as it is; anything else as raw JSON.
std::string readable(std::string_view raw) {
  json::Slice slice;
  if (json::validate(raw, &slice)) return {};
  return slice.kind == json::Kind::string ? json::unescape(slice) : std::string(raw);
}

}  // namespace

/// A consumer's message that is going to the broker.
void RingLoop::measure_read(Attached& attached, const ReturnAddress& from, const records::Origin& origin) {
  const std::uint64_t read = latency::to_us(moment_);
  const std::uint64_t in_ring = latency::between(origin.sent_us, read);
  counts_.stage(latency::MeshStage::request_ring).add(in_ring);
  attached.worker.departures().note(from.sequence, read, in_ring);
}

void RingLoop::measure_report(Attached& attached, const ReturnAddress& to, const mesh::Report& report) {
  if (report.outcome == mesh::Outcome::expired || report.outcome == mesh::Outcome::refused) return;
  const SteadyTime at = report.at == SteadyTime{} ? moment_ : report.at;
  if (const auto took = attached.worker.departures().confirmed(to.sequence, latency::to_us(at)))
    counts_.stage(latency::MeshStage::broker).add(*took);
}

/// An answer on its way to the edge. What was measured of it goes with it: the edge knows the rest.
records::Stages RingLoop::measure_answer(Attached& attached, const ReturnAddress& to, bool from_service) {
  const auto left = attached.worker.departures().take(to.sequence);
  if (!left) return {};
  const std::uint64_t now = latency::to_us(moment_);
  std::uint64_t service = 0;
  if (from_service) {
    service = latency::between(left->read_us + left->broker_us, now);
    counts_.stage(latency::MeshStage::service).add(service);
  }
  return {now, left->ring_us, left->broker_us,
          static_cast<std::uint32_t>(std::min<std::uint64_t>(service, UINT32_MAX))};
}

/// What its message has as traceparent, where spans are made; and a line in the log, where it asks for all.
std::string RingLoop::begin_span(records::Type verb, std::string_view service, std::string_view method,
                                 const Session& session, const ReturnAddress& from, std::string_view raw_trace_id,
                                 const records::Origin& origin, std::uint64_t deadline_ms) {
  if (log::enabled(log::Level::debug)) {
    log::debug("request", {{"trace_id", readable(raw_trace_id)},
                           {"type", static_cast<unsigned>(verb)},
                           {"service", service},
                           {"method", method},
                           {"user_id", session.identity.user_id()},
                           {"session", session.id.hex()},
                           {"traceparent", origin.traceparent}});
  }
  if (!spans_) return std::string(origin.traceparent);
  const std::string trace_id = readable(raw_trace_id);
  return spans_->begin(from, {verb, service, method, session.identity.user_id(), trace_id, origin,
                              latency::to_us(moment_), latency::to_us(deadline_of(deadline_ms))});
}

void RingLoop::end_span(const Returned& returned, const records::Stages& stages) {
  if (spans_->open() == 0) return;
  if (const auto record = records::decode<records::Response>(returned.payload))
    spans_->end(returned.to, record->outcome, stages, latency::to_us(moment_));
}

SlotCounts& RingLoop::slot_counts(std::uint32_t slot) {
  SlotCounts& out = slots_seen_[slot];
  out.slot = slot;
  return out;
}

SlotCounts RingLoop::look_at(Attached& attached) {
  Worker& worker = attached.worker;
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

/// What it has counted stays with its slot.
void RingLoop::keep_counts(Attached& attached) {
  SlotCounts& kept = slot_counts(attached.worker.id().slot);
  kept.edge.add(attached.worker.segments());
  kept.return_stalls += attached.worker.stalls();
  counts_.unmeasured += attached.worker.departures().lost();
}

Readiness RingLoop::readiness() const {
  Readiness out;
  out.broker = broker_;
  out.needs_broker = config_.listen.ready_with_broker;
  for (const auto& [id, attached] : workers_) {
    ++out.edges;
    if (attached->worker.segments().counter(shm::EdgeCounter::draining) != 0) ++out.draining;
  }
  return out;
}

Pages RingLoop::pages() {
  return {[this] { return metrics(); },
          [this] {
            const Readiness now = readiness();
            return Pages::Health{now.ready(), now.json()};
          }};
}

std::string RingLoop::metrics() { return metrics_page(count()); }

Counted RingLoop::count() {
  Counted counted;
  counted.events_dropped = dropped_events_;
  counted.refused = refused_;
  counted.workers = workers_.size();
  counted.resumes = resumes_;
  counted.mailboxes = mailboxes_.count();
  counted.mailbox_bytes = mailboxes_.bytes();
  counted.let_go = mailboxes_.let_go();
  counted.waiting = parked_.open();
  counted.killed_workers = killed_workers_;
  counted.admin_refused = admin_.refused();
  counted.clock_steps = clock_steps_.count();
  counted.dropped_log_lines = log::dropped();
  counted.loop = counts_;
  counted.unmeasured = counts_.unmeasured;
  counted.readiness = readiness();
  counted.request_ring_size = config_.rings.request_bytes;
  counted.return_ring_size = config_.rings.return_bytes;
  counted.started_at = started_at_;
  counted.cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  counted.resident_bytes = resident_bytes(::getpid());
  counted.open_files = open_files();
  counted.most_files = most_files();
  counted.abi = shm::abi;
  counted.ignored_variables = config_.ignored_variables.size();
  counted.runtime_restored = runtime_keeper_.restored();
  counted.keys = authorizer_.key_figures();
  if (exporter_) counted.spans = exporter_->counters();
  auto slots = slots_seen_;
  for (const auto& [id, attached] : workers_) {
    // Two generations may have one slot: one that has come again while the other is not seen to be gone.
    SlotCounts& slot = slots[id.slot] = look_at(*attached);
    counted.sessions += slot.sessions;
    counted.pending += slot.pending;
    counted.unmeasured += attached->worker.departures().lost();
  }
  for (const auto& [number, slot] : slots) {
    counted.edges.add(slot.edge);
    counted.slots.push_back(slot);
  }
  each_face([&](Face& face) {
    counted.add(face.kind, face.manager, face.pushes, face.peers, face.sessions.sessions(),
                face.subscriptions.patterns());
    counted.users += face.sessions.users();
  });
  return counted;
}

}  // namespace nuropb::meshd
