#pragma once
// An edge: clients on one side, meshd on the other. This is the composition root: it owns the parts and wires them.
//
//   Listeners ── handshakes ──► Admission ── NewSession ──┐
//       │                                                 ▼
//       └──── messages ──► ConsumerHandler ── SessionEvents ──► Relays ── records ──► RecordSender, LinkBacklog ──► MeshLink
//                                ▲                                ▲                                                   │
//                                └──── answers, events, closes ───┴──────────── RecordReceiver ◄──── records ─────────┘
//
// Everything runs on one io_context in one thread. Handlers are owned by their connections and known by slot (SessionSlots).

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "edge/http_api/http_api.hpp"
#include "edge/http_calls/http_callers.hpp"
#include "edge/link/link_backlog.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/link/record_receiver.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/relay/relays.hpp"
#include "edge/sessions/admission.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/edge_gauges.hpp"
#include "edge/sessions/sessions.hpp"
#include "edge/sessions/socket_limits.hpp"
#include "edge/transport/listeners.hpp"

namespace nuropb::edge {

class Edge {
 public:
  /// How certificates and keys are read (tls.hpp); nothing: by this process.
  using ReadFile = std::function<Result<std::string>(const std::string& file)>;
  Edge(const Config& config, MeshLink::Connect connect, const ReadFile& read_certificates = {});
  ~Edge();

  /// Starts to listen.
  Result<void> start();
  [[nodiscard]] std::uint16_t port() const { return listeners_.port(); }
  // 0: the config does not open it.
  [[nodiscard]] std::uint16_t lines_port() const { return listeners_.lines_port(); }
  [[nodiscard]] std::uint16_t backend_port() const { return http_api_.backend.port(); }
  [[nodiscard]] std::uint16_t console_port() const { return http_api_.console.port(); }
  /// Attaches to meshd, and serves until a signal has ended it and it has drained. The exit code.
  int run();

 private:
  MeshLink::Callbacks link_callbacks();
  Listeners::Callbacks listener_callbacks();
  HttpCallers::Callbacks caller_callbacks();
  DrainController::Callbacks drain_callbacks();
  TickTimer::Callbacks timer_callbacks();
  void reload_later();

  SystemClock clock_;
  CachedClock message_clock_{clock_};
  SocketLimits socket_limits_;  // outlives the handlers, which end with io_ at the latest
  boost::asio::io_context io_{1};
  boost::asio::signal_set reload_;
  int exit_code_ = 0;
  log::Pause no_memory_pause_{std::chrono::seconds(1)};
  RecordReceiver receiver_;
  MeshLink link_;
  RecordSender sender_{link_};
  LinkBacklog backlog_;
  Sessions sessions_;
  TickTimer timer_;
  DrainController drain_;
  Relays relays_;
  SessionContext context_;
  HttpApi http_api_;
  Admission admission_;
  HttpCallers callers_;
  Listeners listeners_;
  EdgeGauges gauges_;
};

}  // namespace nuropb::edge
