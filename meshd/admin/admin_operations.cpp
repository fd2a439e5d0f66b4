#include "meshd/admin/admin_operations.hpp"

#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "meshd/operations.hpp"

namespace nuropb::meshd {
namespace {

nlohmann::json counts_of(const EdgeCounts& edges) {
  using shm::EdgeCounter;
  return {{"requests", edges[EdgeCounter::requests]},
          {"responses", edges[EdgeCounter::responses]},
          {"timeouts", edges[EdgeCounter::timeouts]},
          {"events", edges[EdgeCounter::events]},
          {"refused_handshakes", edges[EdgeCounter::refused_handshakes]},
          {"bad_messages", edges[EdgeCounter::bad_messages]},
          {"late_responses", edges[EdgeCounter::late_responses]},
          {"ring_stalls", edges[EdgeCounter::ring_stalls]},
          {"dropped_events", edges[EdgeCounter::dropped_events]}};
}

/// Cumulative, as on the page of metrics; the last bucket has no bound.
nlohmann::json latencies(const Counted& counted) {
  nlohmann::json out = nlohmann::json::array();
  for (const Taken& one : taken(counted)) {
    nlohmann::json bounds = nlohmann::json::array(), counts = nlohmann::json::array();
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < latency::buckets; ++i) {
      bounds.push_back(i < latency::bounds_us.size() ? nlohmann::json(static_cast<double>(latency::bounds_us[i]) / 1e6)
                                                     : nlohmann::json());
      counts.push_back(sum += one.of.counts[i]);
    }
    const std::string labels = one.stage.empty() ? "" : "stage=\"" + std::string(one.stage) + "\"";
    out.push_back({{"name", one.family}, {"labels", labels}, {"le", std::move(bounds)}, {"counts", std::move(counts)}});
  }
  return out;
}

}  // namespace

void AdminOperations::operate(const std::string& name, const std::string& body,
                              std::function<void(AdminSocket::Answer)> answer) {
  const auto refuse = [&answer](const std::string& why) {
    answer({false, nlohmann::json{{"error", why}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  };
  const auto problem = nuropb::json::validate(body, nullptr, {config_.limits.json_depth + 8U});
  if (problem) return refuse("the body is not JSON: " + problem->text());
  const auto params = nlohmann::json::parse(body, nullptr, false);
  if (!params.is_object()) return refuse("the body is no JSON object");
  const auto say = [answer](const Result<nlohmann::json>& result) {
    const nlohmann::json said = result ? *result : nlohmann::json{{"error", result.error().text()}};
    answer({result.has_value(), said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  };
  if (gateway_operation(name, params, say)) return;
  // Whose clients are meant: those of WebSockets unless it says otherwise.
  const std::string handler = params.contains("handler") && params["handler"].is_string()
                                  ? params["handler"].get<std::string>()
                                  : std::string(name_of(HandlerKind::web_socket));
  Face* face = nullptr;
  faces_.each([&](Face& one) {
    if (name_of(one.kind) == handler) face = &one;
  });
  if (!face) return refuse("no consumers of handler '" + handler.substr(0, 64) + "' are served here");
  run_operation(face->pushes, name, params, say);
}

bool AdminOperations::refuses(pid_t process) const {
  const auto id = workers_.worker_of(process);
  if (id) log::warning("an edge at the admin socket was turned away", {{"slot", id->slot}, {"pid", process}});
  return id.has_value();
}

bool AdminOperations::gateway_operation(std::string_view name, const nlohmann::json& params, const Done& done) {
  if (name == "status") done(status());
  else if (name == "reload") done(reload_all());
  else if (name == "drain_worker") done(signal_worker(params, SIGTERM));
  else return false;
  return true;
}

nlohmann::json AdminOperations::status() {
  const Counted counted = collector_.count();
  nlohmann::json workers = nlohmann::json::array();
  workers_.each([&](Worker& worker) {
    EdgeCounts own;
    own.add(worker.segments());
    nlohmann::json one = counts_of(own);
    one.update({{"slot", worker.id().slot},
                {"generation", worker.id().generation},
                {"pid", worker.peer().pid},
                {"sessions", worker.sessions().open()},
                {"request_ring", {{"bytes", worker.unread()}, {"capacity", config_.rings.request_bytes}}},
                {"return_ring", {{"bytes", worker.unheard()}, {"capacity", config_.rings.return_bytes}}},
                {"outbox_bytes", worker.outbox_bytes()},
                {"silent_s", worker.silent_beats()}});
    workers.push_back(std::move(one));
  });
  nlohmann::json kinds = nlohmann::json::object();
  faces_.each([&](Face& one) { kinds[std::string(name_of(one.kind))] = counted.sessions_of[index_of(one.kind)]; });
  nlohmann::json counts = counts_of(counted.edges);
  counts["killed_workers"] = counted.killed_workers;
  return {{"version", NUROPB_VERSION},
          {"service", config_.gateway.service},
          {"pid", ::getpid()},
          {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_).count()},
          {"mesh", config_.gateway.mesh == MeshKind::loopback ? "loopback" : "rabbitmq"},
          {"broker",
           {{"state", name_of(counted.readiness.broker)},
            {"connections", counted.transport.connections},
            {"attempts", counted.transport.attempts},
            {"queued_bytes", counted.queued_bytes}}},
          {"sessions", counted.sessions},
          {"handler_sessions", std::move(kinds)},
          {"sessions_waiting", counted.waiting},
          {"topics", counted.topics},
          {"peers", counted.peers},
          {"counts", std::move(counts)},
          {"workers", std::move(workers)},
          {"latencies", latencies(counted)}};
}

Result<nlohmann::json> AdminOperations::signal_worker(const nlohmann::json& params, int number) {
  const auto slot = params.is_object() ? params.find("slot") : params.end();
  if (slot == params.end() || !slot->is_number_unsigned()) return failure("'slot' is no whole number");
  Worker* found = nullptr;
  workers_.each([&](Worker& worker) {
    if (!found && worker.id().slot == slot->get<std::uint64_t>()) found = &worker;
  });
  if (found) {
    Worker& worker = *found;
    if (const auto told = worker.signal(number); !told) return tl::unexpected(told.error());
    log::warning(number == SIGKILL ? "an edge is killed by hand" : "an edge is drained by hand",
                 {{"slot", worker.id().slot}, {"generation", worker.id().generation}, {"pid", worker.peer().pid}});
    return nlohmann::json{{"slot", worker.id().slot},
                          {"generation", worker.id().generation},
                          {"pid", worker.peer().pid},
                          {"sessions", worker.sessions().open()}};
  }
  return failure("there is no worker in slot " + slot->dump());
}

Result<nlohmann::json> AdminOperations::reload_all() {
  log::info("reload by hand");
  std::string wrong = reloader_.reload();
  nlohmann::json edges = nlohmann::json::array();
  workers_.each([&](Worker& worker) {
    const auto told = worker.signal(SIGHUP);
    if (told) edges.push_back(worker.peer().pid);
    else wrong += (wrong.empty() ? "" : "; ") + told.error().text();
  });
  if (!wrong.empty()) return failure(wrong);
  return nlohmann::json{{"edges", std::move(edges)}};
}

}  // namespace nuropb::meshd
