// The way back: answers and events of the mesh into the rings, and what is told of the broker.

#include "common/crash_points.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

// Edges look for a new meshd every 50 ms.
constexpr auto wait_for_edges = std::chrono::seconds(3);
constexpr std::size_t most_for_absent = 32U << 20;

shm::BrokerState word_for(mesh::State state) {
  switch (state) {
    case mesh::State::ready: return shm::BrokerState::ready;
    case mesh::State::blocked: return shm::BrokerState::blocked;
    case mesh::State::connecting:
    case mesh::State::away:
    case mesh::State::stopped: break;
  }
  return shm::BrokerState::away;
}

}  // namespace

void RingLoop::on_events(Face& face) {
  ServiceMeshManager::Events& events = face.events;
  face.manager.take_events(events);
  const SteadyTime now = moment_ = clock_.now();
  counts_.responses += events.responses.size();
  counts_.events += events.events.size();
  for (const auto& change : events.states) {
    if (word_for(change.state) == shm::BrokerState::away) face.peers.disconnected();
    if (&face == &web()) on_state(change);  // of the one connection
  }
  for (mesh::Report& report : events.reports) on_report(face, std::move(report), now);
  for (mesh::Incoming& message : events.responses) {
    counts_.bytes_in += message.body.size();
    const ServiceMeshManager::Receipt receipt = message.delivery;
    NUROPB_CRASH_POINT(answer_heard);
    if ((face.encryption && face.encryption->open(message, now)) ||
        (mesh_authorizer_ && mesh_authorizer_->take(message))) {
      delivered(receipt);
      continue;
    }
    auto returned = to_returned(message, face.addresses, config_.limits.message_bytes, config_.limits.json_depth);
    if (log::enabled(log::Level::debug))
      log::debug("answer", {{"trace_id", message.trace_id}, {"taken", returned.has_value()}});
    if (returned) deliver(std::move(*returned), receipt);
    else delivered(receipt);  // nobody here asked for it
  }
  send_encrypted(face);
  for (const auto& news : events.patterns) on_pattern(face, news);
  for (const mesh::Incoming& message : events.events) {
    counts_.bytes_in += message.body.size();
    on_mesh_event(face, message);
  }
  events.clear();
  flush_touched();
  if (!turn_order_.empty() || outgoing()) schedule_turn();
}

void RingLoop::on_report(Face& face, mesh::Report&& report, SteadyTime now) {
  NUROPB_CRASH_POINT(report_heard);
  ++counts_.reports[static_cast<std::size_t>(report.outcome)];
  if (face.encryption && face.encryption->open(report, now)) return;
  if (mesh_authorizer_ && mesh_authorizer_->take(report)) return;
  if (const auto to = face.addresses.open(report.correlation_id)) {
    if (report.outcome != mesh::Outcome::confirmed && report.outcome != mesh::Outcome::unknown)
      user_pending_.not_sent(*to);
    if (Attached* attached = find({to->slot, to->generation})) {
      attached->worker.settle(report.tag);
      measure_report(*attached, *to, report);
      touch(*attached);
    }
  }
  if (auto returned = to_returned(report, face.addresses)) deliver(std::move(*returned), {});
}

void RingLoop::deliver(Returned&& returned, std::optional<ServiceMeshManager::Receipt> receipt) {
  if (taps_.watching()) [[unlikely]]
    taps_.answered(returned);
  user_pending_.answered(returned.to);
  Attached* const attached = find({returned.to.slot, returned.to.generation});
  const records::Stages stages =
      attached ? measure_answer(*attached, returned.to, receipt.has_value()) : records::Stages{};
  if (stages.taken_us > 0) records::set_stages(returned.payload, stages);
  if (spans_) end_span(returned, stages);
  if (mailboxes_.count() > 0 && deliver_numbered(returned)) {
    if (receipt) delivered(*receipt);
    return;
  }
  if (!attached) {
    if (receipt && keep_for_absent(returned, *receipt)) return;
    // The edge that asked is dead, or a successor has its slot: the generation keeps the answer from it.
    if (receipt) delivered(*receipt);
    return;
  }
  touch(*attached);  // it is flushed, or ended, once nobody holds on to it any more
  if (attached->worker.send(records::Type::response, returned.to.sequence, std::move(returned.payload), receipt))
    return;
  if (receipt) delivered(*receipt);
  attached->worker.violate("does not read its answers: " + std::to_string(attached->worker.outbox_bytes()) +
                           " bytes wait");
}

/// Answers that came while there was no meshd are here before the edges of the last one have found us: those are given
/// a while to come. Not acknowledged until then, so that the next meshd gets them should we die, too.
bool RingLoop::keep_for_absent(Returned& returned, ServiceMeshManager::Receipt receipt) {
  if (clock_.now() >= absent_until_ || absent_bytes_ + returned.payload.size() > most_for_absent) return false;
  absent_bytes_ += returned.payload.size();
  absent_.emplace_back(std::move(returned), receipt);
  return true;
}

void RingLoop::deliver_kept(WorkerId id) {
  std::vector<std::pair<Returned, ServiceMeshManager::Receipt>> kept;
  std::swap(kept, absent_);
  absent_bytes_ = 0;
  for (auto& [returned, receipt] : kept) {
    if (returned.to.slot == id.slot && returned.to.generation == id.generation) {
      deliver(std::move(returned), receipt);
      NUROPB_CRASH_POINT(kept_answer_delivered);
    } else if (!keep_for_absent(returned, receipt)) {
      delivered(receipt);
    }
  }
}

void RingLoop::drop_kept() {
  if (absent_.empty() || clock_.now() < absent_until_) return;
  for (const auto& [returned, receipt] : absent_) delivered(receipt);
  absent_.clear();
  absent_bytes_ = 0;
  web().manager.acknowledge();
}

void RingLoop::on_state(const ServiceMeshManager::StateChange& change) {
  if (leaving_) return;
  if (change.state == mesh::State::ready) log::info("broker ready", {{"detail", change.detail}});
  else log::warning("broker not ready", {{"detail", change.detail}});
  broker_ = change.state;
  if (broker_ == mesh::State::ready && absent_until_ == SteadyTime::max())
    absent_until_ = clock_.now() + wait_for_edges;
  for (auto& [id, attached] : workers_) {
    attached->worker.segments().set_broker(word_for(change.state));
    attached->worker.bell().ring();
  }
  if (change.state == mesh::State::stopped) {
    log::error("the broker refuses us for good", {{"detail", change.detail}});
    exit_code_ = 1;
    io_.stop();
  }
}

void RingLoop::touch(Attached& attached) {
  if (attached.touched) return;
  attached.touched = true;
  touched_.push_back(&attached);
}

void RingLoop::flush_touched() {
  std::vector<Attached*> touched;
  touched.swap(touched_);
  for (Attached* attached : touched) {
    attached->touched = false;
    attached->worker.flush();
    attached->worker.end_of_reading();
    hand_over_waiting(*attached);
  }
  close_overrun();
  for (Attached* attached : touched) {
    // Nothing was detached in the loop above, so every pointer is still good until its own turn here.
    if (!attached->worker.why().empty()) detach(attached->worker.id(), attached->worker.why(), true);
  }
  web().manager.acknowledge();
  NUROPB_CRASH_POINT(answers_acknowledged);
}

}  // namespace nuropb::meshd
