#pragma once
// meshd's event loop: the composition root. It makes one object of each class, tells them of each other, and does what belongs to
// none: start, signals, the beat once a second, the end. Nothing but main.cpp and tests includes it.
//
//   request ring ──► TurnScheduler ──► RecordDispatcher ──► RequestRouter ──────────────► mesh
//                                          ├──► SessionManager, ResumeService, …            │
//   return ring ◄── WorkerPool ◄── MailboxDelivery ◄── ResponseRouter, EventRouter ◄── MeshInbox
//
// The loop waits for nothing but its epoll: not for the broker (which has a thread of its own, with bounded queues between) and not
// for a worker (budgets, bounded outboxes).

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/result.hpp"
#include "common/sandbox.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/peer_keys.hpp"
#include "meshd/policy.hpp"
#include "meshd/request_encryption.hpp"
#include "meshd/runtime_keeper.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/snorky/hub.hpp"
#include "meshd/socket_maker.hpp"
#include "meshd/timers.hpp"
#include "meshd/tracing/otlp.hpp"

namespace nuropb::meshd {

class Meshd {
 public:
  struct Parts {
    const Config& config;
    std::string control_socket;
    std::string admin_socket;
    std::string admin_key;
    std::string instance_id;
    SealedTickets tickets;
    Authorizer& authorizer;
    MeshAuthorizer* mesh_authorizer;  ///< part of it, or nullptr
    Policy policy;
    std::shared_ptr<PeerKeys> peer_keys;  ///< nothing: gateways of one service share no key
    mesh::RequestKeys keys;
    mesh::TransportSettings transport;
    std::optional<snorky::Hub::Parts> snorky;
    std::optional<sandbox::Identity> edge_user;  ///< of edges that are not of our own user
    std::unique_ptr<OtlpExporter> spans;         ///< nothing: none are made
    RuntimeKeeper::Settings runtime;
    SocketMaker sockets;
    const Clock& clock;
    /// Makes the carrier of each kind of handlers, in their order. Empty: as gateway.mesh says.
    mesh::Carrier::Factory carrier{};
  };
  explicit Meshd(Parts parts);
  ~Meshd();
  Meshd(const Meshd&) = delete;
  Meshd& operator=(const Meshd&) = delete;

  /// Opens the control socket. Workers can attach from here on; the broker counts as away until connect_broker().
  Result<void> start();
  /// Starts towards the broker. Any thread.
  void connect_broker();
  /// Until SIGTERM or SIGINT, or until the broker refuses us for good. The exit code.
  int run();
  /// In place of run(), for tests: runs one handler that is ready. False: none is.
  bool step();
  /// For tests, which step the clock.
  Timers& timers();

 private:
  // All the objects: meshd_objects.hpp.
  struct Foundation;
  struct Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace nuropb::meshd
