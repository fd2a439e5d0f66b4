#pragma once
// meshd's state for one kind of listener: a participant on the mesh with its controller, and the index of that kind's
// sessions. All kinds share the ring loop, the AMQP connection, authentication, policy and the limits per user; a Face
// contains what they do not share, so messages, subscriptions and requests of one kind's clients never reach those of
// another.
//
// To add a kind: a member of HandlerKind, a section of the config with its service name, and a line in identity_of().
// Owner thread: the ring loop.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "common/handler_kinds.hpp"
#include "meshd/address_seal.hpp"
#include "meshd/controller.hpp"
#include "meshd/pattern_spellings.hpp"
#include "meshd/peers.hpp"
#include "meshd/pushes.hpp"
#include "meshd/request_encryption.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "meshd/session_index.hpp"
#include "meshd/subscriptions.hpp"

namespace nuropb::meshd {

/// The gateway's identity on the mesh for one kind of listener.
struct MeshIdentity {
  HandlerKind kind = HandlerKind::web_socket;
  std::string service;
  std::string instance;     ///< of the kind: queues and correlation ids of different kinds never coincide
  std::string description;  ///< for nuropb_describe
};
/// Empty for a kind that the config does not enable. `instance` is the gateway's own.
std::optional<MeshIdentity> identity_of(HandlerKind kind, const Config& config, const std::string& instance);
/// The identities of all enabled kinds. The first is that of the WebSockets, which are always enabled.
std::vector<MeshIdentity> identities(const Config& config, const std::string& instance);

struct Face {
  struct Parts {
    const Config& config;
    const Clock& clock;
    Pushes::Edges& edges;
    const mesh::RequestKeys& keys;
    const AddressSeal::Key& address_key;
    const mesh::TransportSettings& transport;   ///< of the connection and of the first face
    const mesh::Carrier::Factory& carrier;      ///< empty: determined by gateway.mesh
    Face* first;                                ///< the face whose connection is shared; nullptr for the first one
    std::shared_ptr<const PeerKeys> peer_keys;  ///< null: gateways of one service share no key
    std::function<const Policy&()> policy;
    std::function<void(std::function<void()>)> on_ring_loop;
    std::function<void(Face&)> on_events;  ///< called on the ring loop: manager.take_events() has something
  };
  Face(const MeshIdentity& identity, const Parts& parts);
  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;

  /// To be called before the transport starts: subscribes to messages of the service's other gateways.
  void start_peers();
  [[nodiscard]] ReturnAddress address(WorkerId worker, std::uint32_t session, std::uint64_t sequence = 0) const {
    return {instance, worker.slot, worker.generation, session, sequence};
  }

  const HandlerKind kind;
  const std::string service;
  const std::uint32_t instance;                 // part of the correlation ids of its requests
  const AddressSeal addresses;                  // creates and verifies them
  std::optional<RequestEncryption> encryption;  // empty: request.encryption = false
  Subscriptions subscriptions;
  PatternSpellings spellings;  // of the patterns in `subscriptions`
  SessionIndex sessions;       // of this kind
  Peers peers;
  Pushes pushes;
  std::vector<mesh::Outgoing> outgoing;  // read from rings, not yet accepted by the transport
  ServiceMeshManager::Events events;     // the current batch; reused
  ServiceMeshManager manager;            // last, because its thread wakes the ring loop

 private:
  bool publish_to_peers(const std::string& topic, std::string body, SteadyTime deadline);
};

}  // namespace nuropb::meshd
