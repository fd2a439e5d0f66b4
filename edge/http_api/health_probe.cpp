#include "edge/http_api/health_probe.hpp"

#include "common/error_names.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/sessions/session_slots.hpp"

namespace nuropb::edge {

HttpAnswer HealthProbe::answer(const Handshake& request) const {
  if (is_probe(request.path())) return probe(request.path());
  const std::string& snorky = config_.snorky.path;
  if (request.path() == config_.listen.path || (!snorky.empty() && request.path() == snorky)) {
    HttpAnswer out = refusal(400, error_name::validation, "this is a WebSocket: send an upgrade (RFC 6455)");
    out.headers.emplace_back("Sec-WebSocket-Version", "13");
    return out;
  }
  return refusal(404, error_name::handling, "nothing here: WebSockets are opened at " + config_.listen.path);
}

HttpAnswer HealthProbe::probe(std::string_view page) const {
  const bool serving = drain_.serving(), attached = link_.attached();
  const bool ready =
      serving && attached && (!config_.listen.ready_with_broker || link_.broker() != shm::BrokerState::away);
  const char* const status = !serving ? "draining" : attached ? "ok" : "unattached";
  const char* const broker = link_.broker() == shm::BrokerState::ready     ? "ready"
                             : link_.broker() == shm::BrokerState::blocked ? "blocked"
                                                                           : "away";
  HttpAnswer out;
  out.status = ready || page == alive_page ? 200 : 503;
  out.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  out.body = std::string("{\"status\":\"") + status + "\",\"ready\":" + (ready ? "true" : "false") +
             ",\"attached\":" + (attached ? "true" : "false") + ",\"broker\":\"" + broker +
             "\",\"sessions\":" + std::to_string(slots_.sessions()) +
             ",\"connections\":" + std::to_string(slots_.connections()) +
             ",\"pending\":" + std::to_string(pending_.size()) + "}\n";
  return out;
}

}  // namespace nuropb::edge
