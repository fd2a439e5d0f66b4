#pragma once
// Collects what is counted all over meshd, and by the edges, for the /metrics page, /readyz and `status`. Each class counts for
// itself; this is the only place that knows all of them. Owner thread: the event loop.

#include <cstdint>
#include <map>
#include <string>

#include "common/config.hpp"
#include "meshd/admin_socket.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/faces.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/metrics.hpp"
#include "meshd/pages.hpp"
#include "meshd/resume/detached_sessions.hpp"
#include "meshd/resume/resume_service.hpp"
#include "meshd/routing/broker_status.hpp"
#include "meshd/routing/event_router.hpp"
#include "meshd/routing/mesh_inbox.hpp"
#include "meshd/routing/request_router.hpp"
#include "meshd/routing/response_router.hpp"
#include "meshd/runtime_keeper.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/sessions/user_quotas.hpp"
#include "meshd/snorky/snorky_gateway.hpp"
#include "meshd/tracing/request_tracing.hpp"
#include "meshd/workers/worker_pool.hpp"

namespace nuropb::meshd {

class MetricsCollector {
 public:
  struct Sources {
    const Config& config;
    WorkerPool& workers;
    const Faces& faces;
    const UserQuotas& quotas;
    const SessionManager& sessions;
    const Mailboxes& mailboxes;
    DetachedSessions& detached;
    const ResumeService& resume;
    const RequestRouter& requests;
    const ResponseRouter& responses;
    const EventRouter& events;
    const MeshInbox& inbox;
    const BrokerStatus& broker;
    const RequestTracing& tracing;
    const SnorkyGateway& snorky;
    const Authorizer& authorizer;
    const RuntimeKeeper& runtime;
    const AdminSocket& admin;
  };
  explicit MetricsCollector(const Sources& sources) : from_(sources) {}

  void on_attached(const Worker& worker) { ++slot_counts(worker.id().slot).attached; }
  /// The worker is about to go: what it has counted stays with its slot.
  void keep(Worker& worker);

  [[nodiscard]] Counted count();
  [[nodiscard]] Readiness readiness() const;
  /// For the servers that show them.
  [[nodiscard]] Pages pages();

 private:
  SlotCounts& slot_counts(std::uint32_t slot);
  SlotCounts look_at(Worker& worker);
  [[nodiscard]] LoopCounts loop() const;

  Sources from_;
  std::map<std::uint32_t, SlotCounts> gone_;  // of workers that are gone, by slot; no more than 256
  std::uint64_t unmeasured_ = 0;              // requests of theirs
  double started_at_ = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
};

}  // namespace nuropb::meshd
