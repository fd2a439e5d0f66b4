#pragma once
// Formats meshd's counters as the /metrics page, in Prometheus' text format. Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/close_codes.hpp"
#include "common/latency.hpp"
#include "common/outcome.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/pushes.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "meshd/sessions/refused.hpp"
#include "meshd/tracing/otlp.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

/// Counters of edges, including those of dead ones. Monitoring only: edges are untrusted.
struct EdgeCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(shm::EdgeCounter::count_)> counters{};
  std::array<std::uint64_t, close_code::all.size() + 1> closes{};
  std::array<std::uint64_t, request_outcomes> outcomes{};
  std::array<std::uint64_t, shm::message_kinds> messages{};
  std::array<latency::Histogram, static_cast<std::size_t>(latency::EdgeStage::count_)> stages{};
  void add(const EdgeCounts& other);
  void add(const shm::MeshdSegments& segments);
  [[nodiscard]] std::uint64_t operator[](shm::EdgeCounter which) const {
    return counters[static_cast<std::size_t>(which)];
  }
};

/// Counters and measurements of meshd itself.
struct LoopCounts {
  AuthFailures auth{};
  std::array<std::uint64_t, 5> reports{};  ///< by mesh::Outcome
  std::uint64_t responses = 0, events = 0, bytes_in = 0, bytes_out = 0;
  std::uint64_t backend_wrong_keys = 0, backend_out_of_scope = 0;
  std::uint64_t unmeasured = 0;  ///< requests of workers that are gone
  std::array<latency::Histogram, static_cast<std::size_t>(latency::MeshStage::count_)> stages{};
};

/// One worker slot: its current worker, and totals of its earlier ones.
struct SlotCounts {
  std::uint32_t slot = 0, generation = 0;
  std::uint64_t attached = 0;  ///< number of attachments since meshd began
  bool present = false;
  bool draining = false;
  std::uint64_t sessions = 0, pending = 0, cpu_us = 0, outbox_bytes = 0;
  std::uint64_t open_files = 0, most_files = 0;
  std::optional<std::uint64_t> resident_bytes{};    ///< empty: not available from /proc
  std::uint64_t request_ring = 0, return_ring = 0;  ///< bytes in use
  std::uint64_t return_stalls = 0;
  EdgeCounts edge{};  ///< total of all workers of the slot
};

/// The state's name on the pages: ready, blocked, connecting, away or stopped.
std::string_view name_of(mesh::State state);

/// Whether the gateway should receive clients (GET /readyz).
struct Readiness {
  std::size_t edges = 0, draining = 0;
  mesh::State broker = mesh::State::connecting;
  bool needs_broker = false;
  [[nodiscard]] bool ready() const {
    return edges > draining && (!needs_broker || broker == mesh::State::ready || broker == mesh::State::blocked);
  }
  [[nodiscard]] std::string json() const;
};

/// Sessions that lost their sockets.
struct ResumeCounts {
  std::uint64_t parked = 0, resumed = 0, failed = 0, ended = 0;
};

struct Counted {
  mesh::Transport::Counters transport{};  ///< of the shared connection; patterns_refused: of all faces
                                          /// Malformed messages, by reason, including those refused by the controller.
  std::array<std::uint64_t, mesh::refusal_kinds> messages{};
  std::uint64_t events_dropped = 0;  ///< events of the mesh that cannot be forwarded to clients
  Pushes::Counters pushes{};
  std::uint64_t peers = 0, peer_messages_refused = 0, peer_messages_unsigned = 0;
  std::array<std::uint64_t, handler_kinds> sessions_of{};
  RefusedByLimit refused{};
  EdgeCounts edges{};  ///< total of all edges since meshd began
  LoopCounts loop{};
  std::vector<SlotCounts> slots{};
  Readiness readiness{};
  std::uint64_t users = 0, pending = 0, unmeasured = 0;
  OtlpExporter::Counters spans{};
  KeyFigures keys{};
  std::uint64_t ignored_variables = 0;  ///< environment variables
  std::uint64_t runtime_restored = 0;
  std::uint64_t request_ring_size = 0, return_ring_size = 0;
  double started_at = 0, cpu_s = 0;
  std::optional<std::uint64_t> resident_bytes{}, open_files{};
  std::uint64_t most_files = 0;
  std::uint32_t abi = 0;
  ResumeCounts resumes{};
  std::uint64_t mailboxes = 0, mailbox_bytes = 0, let_go = 0, waiting = 0;
  std::uint64_t sessions = 0, workers = 0, topics = 0, queued_bytes = 0;
  std::uint64_t dropped_log_lines = 0;  ///< of meshd's own log
  std::uint64_t killed_workers = 0;     ///< killed because of a violation, or hung
  std::uint64_t admin_refused = 0;      ///< requests on the admin socket without its key
  std::uint64_t clock_steps = 0;        ///< steps of the wall clock

  /// Adds the counters of one kind's part.
  void add(HandlerKind kind, const ServiceMeshManager& manager, const Pushes& pushes, const Peers& peers,
           std::size_t sessions, std::size_t topics);
};

std::string metrics_page(const Counted& counted);

/// A latency histogram as shown on the page, for other ways of showing it.
struct Taken {
  std::string_view family;  ///< the metric's name without the common prefix
  std::string_view stage;   ///< empty: the family has a single histogram
  const latency::Histogram& of;
};
std::vector<Taken> taken(const Counted& counted);  ///< valid as long as `counted`

}  // namespace nuropb::meshd
