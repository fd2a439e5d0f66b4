#pragma once
// What operators ask and do by hand: `status`, `reload` and `drain_worker`, and the operations on sessions (operations.hpp), as
// nuropb-ctl asks for them over the admin socket. Owner thread: the event loop.

#include <sys/types.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/result.hpp"
#include "meshd/admin/metrics_collector.hpp"
#include "meshd/admin/reloader.hpp"
#include "meshd/admin_socket.hpp"
#include "meshd/faces.hpp"
#include "meshd/workers/worker_pool.hpp"

namespace nuropb::meshd {

class AdminOperations {
 public:
  AdminOperations(const Config& config, const Clock& clock, WorkerPool& workers, const Faces& faces,
                  MetricsCollector& collector, Reloader& reloader)
      : config_(config), clock_(clock), workers_(workers), faces_(faces), collector_(collector), reloader_(reloader) {}

  /// An operation by its name, with its JSON; the answer once, from here or later. A process that has the socket's key may do all.
  void operate(const std::string& name, const std::string& body, std::function<void(AdminSocket::Answer)> answer);
  /// Whether this process may not even ask. An attached edge may not: it logs that.
  [[nodiscard]] bool refuses(pid_t process) const;

  [[nodiscard]] nlohmann::json status();
  /// To the worker in the `slot` of the parameters; says which that is.
  Result<nlohmann::json> signal_worker(const nlohmann::json& params, int number);

 private:
  using Done = std::function<void(const Result<nlohmann::json>&)>;
  bool gateway_operation(std::string_view name, const nlohmann::json& params, const Done& done);
  Result<nlohmann::json> reload_all();

  const Config& config_;
  const Clock& clock_;
  const SteadyTime started_ = clock_.now();
  WorkerPool& workers_;
  const Faces& faces_;
  MetricsCollector& collector_;
  Reloader& reloader_;
};

}  // namespace nuropb::meshd
