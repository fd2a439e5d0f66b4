#include "meshd/routing/event_router.hpp"

#include "common/log.hpp"
#include "meshd/translate.hpp"

namespace nuropb::meshd {

void EventRouter::route(Face& face, const mesh::Incoming& message) {
  if (Peers::reserved(message.routing_key)) {
    // Not for clients, whatever their patterns match; and what another service's gateways say does not concern us.
    if (message.routing_key == face.peers.topic())
      face.peers.receive(message.encrypted ? std::string_view() : std::string_view(message.body));
    return;
  }
  face.subscriptions.match(message.routing_key, interested_);
  if (interested_.empty()) return;  // unbound a moment ago
  const auto payload = to_mesh_event(message, face.kind, config_.limits.message_bytes, config_.limits.json_depth,
                                     config_.events.forward_context);
  if (!payload) {
    ++dropped_;
    if (const auto left_out = dropped_pause_.due(clock_.now())) {
      log::warning("event dropped",
                   {{"topic", message.routing_key}, {"reason", payload.error().text()}, {"left_out", *left_out}});
    }
    return;
  }
  if (taps_.watching()) [[unlikely]]
    taps_.event(face.kind, message.routing_key, *payload);
  if (delivery_.any()) delivery_.event(face.kind, message.routing_key, *payload);
  for (const WorkerId id : interested_) {
    if (Worker* const worker = workers_.find(id))
      workers_.send(*worker, records::Type::mesh_event, 0, *payload, "its events");
  }
}

}  // namespace nuropb::meshd
