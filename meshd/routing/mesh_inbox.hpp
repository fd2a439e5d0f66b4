#pragma once
// What the mesh hands to the event loop, one batch at a time: responses, reports of what became of messages, events, and what the
// broker says of patterns and of itself. Each goes to the class that knows what to do with it; then all workers are flushed.
// Owner thread: the event loop.

#include <cstdint>
#include <functional>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "meshd/faces.hpp"
#include "meshd/routing/broker_status.hpp"
#include "meshd/routing/early_responses.hpp"
#include "meshd/routing/event_router.hpp"
#include "meshd/routing/request_router.hpp"
#include "meshd/routing/response_router.hpp"
#include "meshd/sessions/subscription_manager.hpp"
#include "meshd/workers/turn_scheduler.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class MeshInbox {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    BatchTimes& times;
    const Faces& faces;
    WorkerPort& workers;
    TurnScheduler& turns;
    RequestRouter& requests;
    ResponseRouter& responses;
    EventRouter& events;
    SubscriptionManager& subscriptions;
    EarlyResponses& early;
    BrokerStatus& broker;
    MeshAuthorizer* mesh_authorizer;  ///< nullptr: no service authenticates clients
    /// The broker refuses us for good.
    std::function<void()> on_stopped;
  };
  explicit MeshInbox(Parts parts);

  /// A face's manager has something for us.
  void take(Face& face);
  /// meshd is ending: what was read and is not sent yet is answered as refused, and news of the broker is ignored from now on. A
  /// successor in our place (a new binary) costs no client an unknown outcome.
  void refuse_unsent();

  struct Counters {
    std::uint64_t responses = 0, events = 0, bytes = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void on_response(Face& face, mesh::Incoming& message, SteadyTime now);
  void on_state(const ServiceMeshManager::StateChange& change);

  const Config& config_;
  const Clock& clock_;
  BatchTimes& times_;
  const Faces& faces_;
  WorkerPort& workers_;
  TurnScheduler& turns_;
  RequestRouter& requests_;
  ResponseRouter& responses_;
  EventRouter& events_;
  SubscriptionManager& subscriptions_;
  EarlyResponses& early_;
  BrokerStatus& broker_;
  MeshAuthorizer* mesh_authorizer_;
  std::function<void()> on_stopped_;
  bool ending_ = false;
  Counters counters_;
};

}  // namespace nuropb::meshd
