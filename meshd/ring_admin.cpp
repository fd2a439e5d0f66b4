// The ring loop's part in what operators ask and do: over the admin socket (nuropb-ctl), and at the console, whose edge is
// believed in nothing: what it hands on is a token, which is judged here like any other, and a question.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds figures_are_new{250};

std::string written(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

json counts_of(const EdgeCounts& edges) {
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
json latencies(const Counted& counted) {
  json out = json::array();
  for (const Taken& one : taken(counted)) {
    json bounds = json::array(), counts = json::array();
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < latency::buckets; ++i) {
      bounds.push_back(i < latency::bounds_us.size() ? json(static_cast<double>(latency::bounds_us[i]) / 1e6) : json());
      counts.push_back(sum += one.of.counts[i]);
    }
    const std::string labels = one.stage.empty() ? "" : "stage=\"" + std::string(one.stage) + "\"";
    out.push_back({{"name", one.family}, {"labels", labels}, {"le", std::move(bounds)}, {"counts", std::move(counts)}});
  }
  return out;
}

}  // namespace

bool RingLoop::gateway_operation(std::string_view name, const json& params, const AdminDone& done) {
  if (name == "status") done(status());
  else if (name == "reload") done(reload_all());
  else if (name == "drain_worker") done(signal_worker(params, SIGTERM));
  else return false;
  return true;
}

json RingLoop::status() {
  const Counted counted = count();
  json workers = json::array();
  for (auto& [id, attached] : workers_) {
    Worker& worker = attached->worker;
    EdgeCounts own;
    own.add(worker.segments());
    json one = counts_of(own);
    one.update({{"slot", id.slot},
                {"generation", id.generation},
                {"pid", worker.peer().pid},
                {"sessions", worker.sessions().open()},
                {"request_ring", {{"bytes", worker.unread()}, {"capacity", config_.rings.request_bytes}}},
                {"return_ring", {{"bytes", worker.unheard()}, {"capacity", config_.rings.return_bytes}}},
                {"outbox_bytes", worker.outbox_bytes()},
                {"silent_s", worker.silent_beats()}});
    workers.push_back(std::move(one));
  }
  json kinds = json::object();
  each_face([&](Face& one) { kinds[std::string(name_of(one.kind))] = counted.sessions_of[index_of(one.kind)]; });
  json counts = counts_of(counted.edges);
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

Result<json> RingLoop::signal_worker(const json& params, int number) {
  const auto slot = params.is_object() ? params.find("slot") : params.end();
  if (slot == params.end() || !slot->is_number_unsigned()) return failure("'slot' is no whole number");
  for (auto& [id, attached] : workers_) {
    if (id.slot != slot->get<std::uint64_t>()) continue;
    Worker& worker = attached->worker;
    if (const auto told = worker.signal(number); !told) return tl::unexpected(told.error());
    log::warning(number == SIGKILL ? "an edge is killed by hand" : "an edge is drained by hand",
                 {{"slot", id.slot}, {"generation", id.generation}, {"pid", worker.peer().pid}});
    return json{{"slot", id.slot},
                {"generation", id.generation},
                {"pid", worker.peer().pid},
                {"sessions", worker.sessions().open()}};
  }
  return failure("there is no worker in slot " + slot->dump());
}

Result<json> RingLoop::reload_all() {
  log::info("reload by hand");
  std::string wrong = reload();
  json edges = json::array();
  for (auto& [id, attached] : workers_) {
    const auto told = attached->worker.signal(SIGHUP);
    if (told) edges.push_back(attached->worker.peer().pid);
    else wrong += (wrong.empty() ? "" : "; ") + told.error().text();
  }
  if (!wrong.empty()) return failure(wrong);
  return json{{"edges", std::move(edges)}};
}

bool RingLoop::console_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  attached.worker.settle(attached.worker.begin_work());
  const auto record = records::decode<records::ConsoleCall>(payload);
  if (!record) {
    attached.worker.violate("record type " + std::to_string(header.type) + ": can't be decoded");
    return false;
  }
  const auto say = [this, id = attached.worker.id(), sequence = header.sequence](std::uint16_t code, std::string text) {
    if (text.size() > records::max_error + config_.limits.message_bytes) {
      code = 500;
      text = error_json(error_name::exception, "the answer is larger than limits.message_bytes");
    }
    std::string out;
    records::encode(records::BackendAnswer{code, text}, out);
    send_to_worker(id, records::Type::backend_answer, sequence, std::move(out));
  };
  // An edge that was started with other settings is none the worse.
  if (!config_.console.enabled) {
    say(503, error_json(error_name::authorization, "the console is off (console.enabled)"));
    return true;
  }
  authorizer_.judge(
      {records::CredentialKind::header, std::string(record->token),
       (std::uint64_t{attached.worker.id().slot} << 32) | attached.worker.id().generation, "console"},
      [this, say, what = std::string(record->what), params = std::string(record->params)](Verdict verdict) {
        auto [code, text] = console_answer(verdict, what, params);
        say(code, std::move(text));
      });
  return true;
}

/// HTTP's code, and the body.
std::pair<std::uint16_t, std::string> RingLoop::console_answer(const Verdict& verdict, const std::string& what,
                                                               const std::string& params) {
  const auto refuse = [](std::uint16_t code, std::string_view name, std::string_view why) {
    return std::pair(code, error_json(name, why));
  };
  if (!verdict.accepted()) {
    if (const auto left_out = console_pause_.due(clock_.now()))
      log::warning("a token was refused at the console", {{"reason", verdict.reason}, {"left_out", *left_out}});
    if (verdict.what == Verdict::What::unavailable)
      return refuse(503, error_name::transport, "the token can't be judged now: try again");
    return refuse(401, error_name::authentication, "token refused");
  }
  const std::string& user = verdict.identity.user_id;
  const auto& users = config_.console.users;
  if (std::none_of(users.begin(), users.end(), [&](const std::string& one) { return one == "*" || one == user; }))
    return refuse(403, error_name::authorization, "this user may not see the gateway's figures (console.users)");
  if (what == "status") {
    // An edge that has such a token, and asks without end, does not have the figures gathered without end.
    if (clock_.now() >= console_status_until_) {
      console_status_ = written(status());
      console_status_until_ = clock_.now() + figures_are_new;
    }
    return {std::uint16_t{200}, console_status_};
  }
  if (what != "kill") return refuse(404, error_name::handling, "there is no such thing");
  if (!config_.console.kill_workers)
    return refuse(403, error_name::authorization, "edges can't be killed from here (console.kill_workers)");
  log::warning("somebody at the console kills an edge", {{"user", user}});
  const auto killed = signal_worker(json::parse(params, nullptr, false), SIGKILL);
  if (!killed) return refuse(400, error_name::validation, killed.error().text());
  return {std::uint16_t{200}, written(*killed)};
}

}  // namespace nuropb::meshd
