#include "meshd/face.hpp"

#include <openssl/evp.h>

#include <array>

#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

/// Stable across restarts, since queues that outlive us are named after it; and made of hexadecimal digits, as instance
/// ids of NuroPb services are.
std::string derived_instance(const std::string& instance, std::string_view kind) {
  const std::string text = instance + "/" + std::string(kind);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), 16));
}

mesh::ParticipantSettings participant(const MeshIdentity& identity, const mesh::TransportSettings& connection) {
  mesh::ParticipantSettings out;
  out.service_name = identity.service;
  out.instance_id = identity.instance;
  out.prefetch = connection.prefetch;
  return out;
}

}  // namespace

std::optional<MeshIdentity> identity_of(HandlerKind kind, const Config& config, const std::string& instance) {
  switch (kind) {
    case HandlerKind::web_socket:
      return MeshIdentity{kind, config.gateway.service, instance, "WebSocket gateway to the service mesh"};
    case HandlerKind::lines:
      if (!config.lines.enabled) return {};
      return MeshIdentity{kind, config.lines.service_name, derived_instance(instance, name_of(kind)),
                          "Gateway to the service mesh, JSON lines over TCP"};
  }
  return {};
}

std::vector<MeshIdentity> identities(const Config& config, const std::string& instance) {
  std::vector<MeshIdentity> out;
  for (std::size_t kind = 0; kind < handler_kinds; ++kind) {
    if (auto identity = identity_of(static_cast<HandlerKind>(kind), config, instance))
      out.push_back(std::move(*identity));
  }
  return out;
}

Face::Face(const MeshIdentity& identity, const Parts& parts)
    : kind(identity.kind),
      service(identity.service),
      instance(ReturnAddress::instance_hash(identity.instance)),
      addresses(parts.address_key, instance),
      encryption(parts.config.request.encryption ? std::optional<RequestEncryption>(std::in_place, parts.keys)
                                                 : std::nullopt),
      peers({.service = service,
             .instance = identity.instance,
             .largest = Pushes::largest_of(parts.config.limits.message_bytes),
             .json_depth = parts.config.limits.json_depth + 8U,
             .period = milliseconds(parts.config.push.presence_ms),
             .expiry = milliseconds(parts.config.push.presence_ms * 7 / 2),
             .keys = parts.peer_keys,
             .accept_unsigned = parts.config.push.accept_unsigned},
            parts.clock,
            [this](const std::string& topic, std::string body, SteadyTime deadline) {
              return publish_to_peers(topic, std::move(body), deadline);
            }),
      pushes({identity.instance, parts.config.limits.message_bytes, parts.config.limits.connections,
              parts.config.limits.json_depth, milliseconds(parts.config.push.timeout_ms), kind},
             parts.clock, parts.edges, sessions, peers),
      manager(parts.carrier ? ServiceMeshManager::Participation(parts.carrier, participant(identity, parts.transport))
              : parts.first
                  ? ServiceMeshManager::Participation(parts.first->manager, participant(identity, parts.transport))
                  : ServiceMeshManager::Participation(parts.transport, parts.config.gateway.mesh == MeshKind::loopback),
              identity.description,
              [this, post = parts.on_ring_loop, tell = parts.on_events] { post([this, tell] { tell(*this); }); }) {
  peers.on_gone = [this](const std::string& gateway) { pushes.on_peer_gone(gateway); };
  add_controller_methods(manager.controller(), {parts.config, pushes, parts.policy, parts.on_ring_loop});
}

void Face::start_peers() {
  if (const auto bound = manager.subscribe(peers.topic()); !bound) {
    log::error("other gateways of this service can't be reached",
               {{"topic", peers.topic()}, {"reason", bound.error().text()}});
  }
}

bool Face::publish_to_peers(const std::string& topic, std::string body, SteadyTime deadline) {
  mesh::Outgoing message;
  message.type = MessageType::event;
  message.routing_key = topic;
  message.correlation_id = random_hex32();  // not a sealed address, so the broker's report concerns no client
  message.trace_id = message.correlation_id;
  message.body = std::move(body);
  message.deadline = deadline;
  message.expires = true;
  return manager.publish(std::move(message));
}

}  // namespace nuropb::meshd
