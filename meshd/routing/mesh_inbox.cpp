#include "meshd/routing/mesh_inbox.hpp"

#include <utility>

#include "common/crash_points.hpp"
#include "common/log.hpp"

namespace nuropb::meshd {

MeshInbox::MeshInbox(Parts parts)
    : config_(parts.config),
      clock_(parts.clock),
      times_(parts.times),
      faces_(parts.faces),
      workers_(parts.workers),
      turns_(parts.turns),
      requests_(parts.requests),
      responses_(parts.responses),
      events_(parts.events),
      subscriptions_(parts.subscriptions),
      early_(parts.early),
      broker_(parts.broker),
      mesh_authorizer_(parts.mesh_authorizer),
      on_stopped_(std::move(parts.on_stopped)) {}

void MeshInbox::take(Face& face) {
  ServiceMeshManager::Events& news = face.events;
  face.manager.take_events(news);
  const SteadyTime now = times_.batch = clock_.now();
  counters_.responses += news.responses.size();
  counters_.events += news.events.size();
  for (const auto& change : news.states) {
    if (BrokerStatus::word_for(change.state) == shm::BrokerState::away) face.peers.disconnected();
    if (&face == &faces_.web()) on_state(change);  // of the one connection
  }
  for (mesh::Report& report : news.reports) responses_.report(face, std::move(report), now);
  for (mesh::Incoming& message : news.responses) on_response(face, message, now);
  requests_.send_encrypted(face);
  for (const auto& pattern : news.patterns) subscriptions_.on_pattern(face, pattern);
  for (const mesh::Incoming& message : news.events) {
    counters_.bytes += message.body.size();
    events_.route(face, message);
  }
  news.clear();
  workers_.flush();
  turns_.schedule_if_needed();
}

void MeshInbox::on_response(Face& face, mesh::Incoming& message, SteadyTime now) {
  counters_.bytes += message.body.size();
  const mesh::Delivery receipt = message.delivery;
  NUROPB_CRASH_POINT(answer_heard);
  if ((face.encryption && face.encryption->open(message, now)) ||
      (mesh_authorizer_ && mesh_authorizer_->take(message))) {
    faces_.delivered(receipt);
    return;
  }
  auto returned = to_returned(message, face.addresses, config_.limits.message_bytes, config_.limits.json_depth);
  if (log::enabled(log::Level::debug))
    log::debug("answer", {{"trace_id", message.trace_id}, {"taken", returned.has_value()}});
  if (returned) responses_.deliver(std::move(*returned), receipt);
  else faces_.delivered(receipt);  // no client here asked for it
}

void MeshInbox::on_state(const ServiceMeshManager::StateChange& change) {
  if (ending_) return;
  if (change.state == mesh::State::ready) log::info("broker ready", {{"detail", change.detail}});
  else log::warning("broker not ready", {{"detail", change.detail}});
  broker_.set(change.state);
  if (broker_.ready()) early_.broker_ready();
  workers_.each([this](Worker& worker) {
    worker.segments().set_broker(broker_.word());
    worker.bell().ring();
  });
  if (change.state == mesh::State::stopped) {
    log::error("the broker refuses us for good", {{"detail", change.detail}});
    on_stopped_();
  }
}

void MeshInbox::refuse_unsent() {
  ending_ = true;
  faces_.each([this](Face& face) {
    constexpr const char* why = "the gateway's meshd is stopping; the request was not sent";
    if (face.encryption) face.encryption->give_up(why, clock_.now());
    requests_.send_encrypted(face);
    face.manager.publish(face.outgoing);
    for (const mesh::Outgoing& message : face.outgoing) {
      responses_.report(face,
                        {mesh::Outcome::refused,
                         message.type,
                         message.routing_key,
                         message.correlation_id,
                         message.tag,
                         why,
                         {},
                         message.encrypted},
                        clock_.now());
    }
    face.outgoing.clear();
  });
}

}  // namespace nuropb::meshd
