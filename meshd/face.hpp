#pragma once
// What meshd has for one kind of handlers: a participant on the mesh with its controller, and the books over the sessions
// of that kind. The kinds share the ring loop, the AMQP connection, authorization, policy and the limits per user; a Face
// is what they don't share, so nothing said to one kind's consumers, subscribed to or asked by them gets to another's.
//
// A third kind: a member of HandlerKind, a section of the config with its service name, and a line in identity_of().
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

/// Who the gateway is on the mesh for one kind of handlers.
struct MeshIdentity {
  HandlerKind kind = HandlerKind::web_socket;
  std::string service;
  std::string instance;     ///< of the kind: queues and correlation ids of two kinds are never the same
  std::string description;  ///< what nuropb_describe says
};
/// Nothing for a kind that the config does not open. `instance` is the gateway's own.
std::optional<MeshIdentity> identity_of(HandlerKind kind, const Config& config, const std::string& instance);
/// Those of all open kinds; the first is the WebSockets', which are always open.
std::vector<MeshIdentity> identities(const Config& config, const std::string& instance);

struct Face {
  struct Parts {
    const Config& config;
    const Clock& clock;
    Pushes::Edges& edges;
    const mesh::RequestKeys& keys;
    const AddressSeal::Key& address_key;
    const mesh::TransportSettings& transport;   ///< of the connection, and of the first face
    const mesh::Carrier::Factory& carrier;      ///< empty: as gateway.mesh says
    Face* first;                                ///< whose connection this one shares; nullptr for the first itself
    std::shared_ptr<const PeerKeys> peer_keys;  ///< nothing: gateways of one service share no key
    std::function<const Policy&()> policy;
    std::function<void(std::function<void()>)> on_ring_loop;
    std::function<void(Face&)> on_events;  ///< on the ring loop: manager.take_events() has something
  };
  Face(const MeshIdentity& identity, const Parts& parts);
  Face(const Face&) = delete;
  Face& operator=(const Face&) = delete;

  /// Before the transport starts: other gateways of the service are listened to.
  void start_peers();
  [[nodiscard]] ReturnAddress address(WorkerId worker, std::uint32_t session, std::uint64_t sequence = 0) const {
    return {instance, worker.slot, worker.generation, session, sequence};
  }

  const HandlerKind kind;
  const std::string service;
  const std::uint32_t instance;                 // in the correlation ids of its requests
  const AddressSeal addresses;                  // which makes and opens them
  std::optional<RequestEncryption> encryption;  // nothing: request.encryption = false
  Subscriptions subscriptions;
  PatternSpellings spellings;  // of the patterns in `subscriptions`
  SessionIndex sessions;       // of the kind
  Peers peers;
  Pushes pushes;
  std::vector<mesh::Outgoing> outgoing;  // taken from rings, not yet taken by the transport
  ServiceMeshManager::Events events;     // the batch at hand; reused
  ServiceMeshManager manager;            // last: its thread wakes the ring loop

 private:
  bool publish_to_peers(const std::string& topic, std::string body, SteadyTime deadline);
};

}  // namespace nuropb::meshd
