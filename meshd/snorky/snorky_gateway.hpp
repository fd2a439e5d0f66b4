#pragma once
// Snorky at the rings: calls of clients and of backends on their way from edges to the hub (hub.hpp), its answers on their way back,
// and how its services reach sockets and other gateways. Owner thread: the event loop.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "common/records.hpp"
#include "meshd/faces.hpp"
#include "meshd/request_deadline.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/snorky/hub.hpp"
#include "meshd/tracing/request_tracing.hpp"
#include "meshd/workers/record_handler.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class SnorkyGateway final : private snorky::Outlet {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    const BatchTimes& times;
    RequestDeadline deadline;
    const Faces& faces;
    WorkerPort& workers;
    SessionManager& sessions;
    RequestTracing& tracing;
    std::optional<snorky::Hub::Parts> hub;  ///< nothing: the config does not want Snorky
  };
  explicit SnorkyGateway(Parts parts);
  /// Once the WebSockets' face is open.
  void start();

  /// A call of a client; the session is open. `length` is the record's.
  RecordResult client_call(Worker& worker, const shm::RecordHeader& header, const records::SnorkyCall& record,
                           Session& session, const ReturnAddress& from);
  /// A call of a backend, over HTTP.
  RecordResult backend_call(Worker& worker, const shm::RecordHeader& header, const records::BackendCall& record);
  /// A session has left this socket.
  void on_socket_gone(WorkerId worker, std::uint32_t slot, std::uint32_t serial);

  /// Whether backends have keys.
  [[nodiscard]] bool has_keys() const { return hub_ && hub_->has_keys(); }
  /// Reads them again.
  Result<void> reload() { return hub_->reload(); }

  struct Counters {
    std::uint64_t wrong_keys = 0, out_of_scope = 0;  ///< of backends
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  bool notify(const snorky::Sessions& to, std::string_view frame) override;
  void tell_peers(std::string_view service, std::string_view body) override;
  void note_refused(const snorky::HttpAnswer& answer);

  const Config& config_;
  const Clock& clock_;
  const BatchTimes& times_;
  RequestDeadline deadline_;
  const Faces& faces_;
  WorkerPort& workers_;
  SessionManager& sessions_;
  RequestTracing& tracing_;
  std::unique_ptr<snorky::Hub> hub_;  // nullptr: the config does not want it
  log::Pause refused_pause_{std::chrono::seconds(10)};
  Counters counters_;
};

}  // namespace nuropb::meshd
