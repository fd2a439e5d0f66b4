#include "meshd/metrics.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace nuropb::meshd {
namespace {

class Page {
 public:
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    head(name, help, "counter");
    line(name, "", value);
  }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    head(name, help, "gauge");
    line(name, "", value);
  }
  void head(std::string_view name, std::string_view help, std::string_view type) {
    text += "# HELP nuropb_gateway_" + std::string(name) + " " + std::string(help) + "\n# TYPE nuropb_gateway_" +
            std::string(name) + " " + std::string(type) + "\n";
  }
  void line(std::string_view name, std::string_view labels, std::uint64_t value) {
    line(name, labels, std::to_string(value));
  }
  void line(std::string_view name, std::string_view labels, const std::string& value) {
    text += "nuropb_gateway_" + std::string(name) + std::string(labels) + " " + value + "\n";
  }
  /// Prints one histogram of a family; `label` is for example stage="edge_in", or empty.
  void histogram(const std::string& name, const std::string& label, const latency::Histogram& of) {
    std::uint64_t sum = 0;
    const std::string before = "{" + label + (label.empty() ? "" : ",") + "le=\"";
    for (std::size_t i = 0; i < latency::buckets; ++i) {
      sum += of.counts[i];
      line(name + "_bucket", before + (i < latency::bounds_us.size() ? seconds(latency::bounds_us[i]) : "+Inf") + "\"}",
           sum);
    }
    const std::string labels = label.empty() ? "" : "{" + label + "}";
    line(name + "_sum", labels, seconds(of.sum_us));
    line(name + "_count", labels, sum);
  }
  /// Formats microseconds as seconds: 2500 → 0.0025
  static std::string seconds(std::uint64_t us) {
    std::string fraction = std::to_string(us % 1'000'000);
    fraction.insert(0, 6 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return std::to_string(us / 1'000'000) + (fraction.empty() ? "" : "." + fraction);
  }
  std::string text;
};

std::string quoted(std::string_view label, std::string_view value) {
  return std::string(label) + "=\"" + std::string(value) + "\"";
}

/// Prints a family with one line per value of a label.
template <class Values>
void labelled(Page& page, std::string_view name, std::string_view help, std::string_view type, std::string_view label,
              const Values& values) {
  page.head(name, help, type);
  for (const auto& [value, count] : values) page.line(name, "{" + quoted(label, value) + "}", count);
}

constexpr std::array<std::string_view, shm::message_kinds> message_names{"",
                                                                         "",
                                                                         "",
                                                                         "request",
                                                                         "command",
                                                                         "describe",
                                                                         "event",
                                                                         "subscribe",
                                                                         "unsubscribe",
                                                                         "authorize",
                                                                         "",
                                                                         "backend_call",
                                                                         "snorky_call",
                                                                         "resume",
                                                                         "",
                                                                         ""};
constexpr std::array<std::pair<std::string_view, mesh::State>, 5> states{{{"connecting", mesh::State::connecting},
                                                                          {"ready", mesh::State::ready},
                                                                          {"blocked", mesh::State::blocked},
                                                                          {"away", mesh::State::away},
                                                                          {"stopped", mesh::State::stopped}}};
/// Clients' requests: their outcomes, and where their time was spent.
void requests(Page& page, const Counted& counted) {
  page.head("requests_total", "Finished requests, commands, events and subscriptions of clients, by outcome.",
            "counter");
  for (std::size_t i = 0; i < request_outcomes; ++i)
    page.line("requests_total", "{" + quoted("outcome", request_outcome_names[i]) + "}", counted.edges.outcomes[i]);
  page.gauge("requests_pending", "Requests of clients that wait for their responses.", counted.pending);
  page.head("messages_total", "Messages of clients and backends that were passed to meshd, by type.", "counter");
  for (std::size_t i = 0; i < message_names.size(); ++i) {
    if (!message_names[i].empty())
      page.line("messages_total", "{" + quoted("type", message_names[i]) + "}", counted.edges.messages[i]);
  }
  page.counter("bad_messages_total", "Malformed messages of clients.", counted.edges[shm::EdgeCounter::bad_messages]);
  page.counter("late_responses_total", "Responses that arrived after their client had stopped waiting.",
               counted.edges[shm::EdgeCounter::late_responses]);
  page.counter("events_delivered_total", "Events delivered to clients, counted per client.",
               counted.edges[shm::EdgeCounter::events]);
  labelled(page, "bytes_total", "Bytes of clients' messages, before TLS and compression, by direction.", "counter",
           "direction",
           std::array{std::pair("in", counted.edges[shm::EdgeCounter::bytes_in]),
                      std::pair("out", counted.edges[shm::EdgeCounter::bytes_out])});
  std::string_view family;
  for (const Taken& one : taken(counted)) {
    if (std::exchange(family, one.family) != one.family) {
      page.head(family,
                one.stage.empty()
                    ? "Time from reading a request off its socket until its response is handed to the socket."
                    : "Time of requests by stage (docs/tasks/metrics.md).",
                "histogram");
    }
    page.histogram(std::string(family), one.stage.empty() ? "" : quoted("stage", one.stage), one.of);
  }
  page.counter("unmeasured_requests_total", "Requests whose stages in meshd were not measured: too many outstanding.",
               counted.unmeasured);
}

void authorization(Page& page, const Counted& counted) {
  const AuthFailures& auth = counted.loop.auth;
  labelled(page, "auth_failures_total", "Clients refused or disconnected because of their identity, by reason.",
           "counter", "reason",
           std::array{std::pair("no_token", counted.edges[shm::EdgeCounter::no_token]),
                      std::pair("origin", counted.edges[shm::EdgeCounter::wrong_origin]),
                      std::pair("first_message", counted.edges[shm::EdgeCounter::no_first_message]),
                      std::pair("certificate", counted.edges[shm::EdgeCounter::bad_certificates]),
                      std::pair("refused", auth.refused), std::pair("unavailable", auth.unavailable),
                      std::pair("other_user", auth.other_user), std::pair("expired", auth.expired),
                      std::pair("revoked", auth.revoked)});
  labelled(page, "backend_refused_total", "Calls of backends refused because of their key, by reason.", "counter",
           "reason",
           std::array{std::pair("key", counted.loop.backend_wrong_keys),
                      std::pair("scope", counted.loop.backend_out_of_scope)});
  labelled(page, "jwt_keys", "Keys for JSON Web Tokens, from files and key sets: used, or skipped and why.", "gauge",
           "state",
           std::array{std::pair("used", counted.keys.used), std::pair("unusable", counted.keys.unusable),
                      std::pair("not_for_signatures", counted.keys.not_for_signatures)});
  page.counter("refused_handshakes_total", "Handshakes that were answered with an HTTP error.",
               counted.edges[shm::EdgeCounter::refused_handshakes]);
}

void broker(Page& page, const Counted& counted) {
  page.head("amqp_state", "1 for the state that the connection to the broker is in.", "gauge");
  for (const auto& [name, state] : states)
    page.line("amqp_state", "{" + quoted("state", name) + "}",
              std::uint64_t{counted.readiness.broker == state ? 1U : 0U});
  const auto& amqp = counted.transport;
  page.counter("amqp_reconnects_total", "Connections to the broker that were made after one was lost.",
               amqp.connections > amqp.handovers + 1 ? amqp.connections - amqp.handovers - 1 : 0);
  const auto of = [&](mesh::Outcome outcome) { return counted.loop.reports[static_cast<std::size_t>(outcome)]; };
  page.counter("amqp_confirms_total", "Messages that the broker has confirmed.", of(mesh::Outcome::confirmed));
  page.counter("amqp_returns_total", "Messages that the broker returned: no queue is bound for them.",
               of(mesh::Outcome::not_delivered));
  page.counter("amqp_refused_total", "Messages that were not sent, or that the broker refused.",
               of(mesh::Outcome::refused));
  page.counter("amqp_expired_total", "Messages whose deadline passed, or whose client left, before they were sent.",
               of(mesh::Outcome::expired));
  page.counter("amqp_unknown_total", "Messages that were in flight when the connection was lost.",
               of(mesh::Outcome::unknown));
  labelled(page, "amqp_received_total", "Messages from the broker for clients, by type.", "counter", "type",
           std::array{std::pair("response", counted.loop.responses), std::pair("event", counted.loop.events)});
  labelled(page, "amqp_body_bytes_total", "Bytes of message bodies to and from the broker, by direction.", "counter",
           "direction", std::array{std::pair("in", counted.loop.bytes_in), std::pair("out", counted.loop.bytes_out)});
}

/// By worker slot, of which there are gateway.max_workers. Gauges are only printed for occupied slots.
void workers(Page& page, const Counted& counted) {
  const auto each = [&](std::string_view name, std::string_view help, std::string_view type, bool of_now,
                        auto&& value) {
    page.head(name, help, type);
    for (const SlotCounts& slot : counted.slots) {
      if (slot.present || !of_now)
        page.line(name, "{" + quoted("worker", std::to_string(slot.slot)) + "}", value(slot));
    }
  };
  using Slot = const SlotCounts&;
  each("worker_generation", "Generation of the edge in a worker slot.", "gauge", true,
       [](Slot s) { return std::uint64_t{s.generation}; });
  each("worker_restarts_total", "Edges that replaced another in a worker slot.", "counter", false,
       [](Slot s) { return s.attached - 1; });
  each("worker_up", "1 if an edge occupies the worker slot.", "gauge", false,
       [](Slot s) { return std::uint64_t{s.present ? 1U : 0U}; });
  each("worker_draining", "1 while an edge is stopping.", "gauge", true,
       [](Slot s) { return std::uint64_t{s.draining ? 1U : 0U}; });
  each("worker_sessions", "Sessions of an edge.", "gauge", true, [](Slot s) { return s.sessions; });
  each("worker_pending", "Requests of an edge that wait for their responses.", "gauge", true,
       [](Slot s) { return s.pending; });
  each("worker_requests_total", "Requests, commands, events and subscriptions that an edge passed to meshd.", "counter",
       false, [](Slot s) { return s.edge[shm::EdgeCounter::requests]; });
  each("worker_cpu_seconds_total", "CPU time of the edge in a worker slot.", "counter", true,
       [](Slot s) { return Page::seconds(s.cpu_us); });
  page.head("worker_resident_memory_bytes", "Memory of the edge in a worker slot, including memory shared with meshd.",
            "gauge");
  for (const SlotCounts& slot : counted.slots) {
    if (slot.present && slot.resident_bytes)
      page.line("worker_resident_memory_bytes", "{" + quoted("worker", std::to_string(slot.slot)) + "}",
                *slot.resident_bytes);
  }
  each("worker_open_fds", "Open file descriptors of the edge in a worker slot, including one for each socket.", "gauge",
       true, [](Slot s) { return s.open_files; });
  each("worker_max_fds", "Limit of open file descriptors of the edge in a worker slot.", "gauge", true,
       [](Slot s) { return s.most_files; });
  page.head("log_lines_dropped_total", "Lines that could not be written to the log in time, by process.", "counter");
  page.line("log_lines_dropped_total", "{" + quoted("process", "meshd") + "}", counted.dropped_log_lines);
  for (const SlotCounts& slot : counted.slots) {
    page.line("log_lines_dropped_total",
              "{" + quoted("process", "edge") + "," + quoted("worker", std::to_string(slot.slot)) + "}",
              slot.edge[shm::EdgeCounter::dropped_log_lines]);
  }
  each("worker_outbox_bytes", "Bytes of responses that wait for room in a return ring.", "gauge", true,
       [](Slot s) { return s.outbox_bytes; });
  const auto rings = [&](std::string_view name, std::string_view help, std::string_view type, bool of_now,
                         auto&& request, auto&& back) {
    page.head(name, help, type);
    for (const SlotCounts& slot : counted.slots) {
      if (!slot.present && of_now) continue;
      const std::string worker = "{" + quoted("worker", std::to_string(slot.slot)) + ",";
      page.line(name, worker + quoted("ring", "request") + "}", request(slot));
      page.line(name, worker + quoted("ring", "return") + "}", back(slot));
    }
  };
  rings(
      "ring_used_bytes", "Bytes in a ring that its reader has not read.", "gauge", true,
      [](Slot s) { return s.request_ring; }, [](Slot s) { return s.return_ring; });
  rings(
      "ring_stalls_total", "Times that a writer found no room in a ring.", "counter", false,
      [](Slot s) { return s.edge[shm::EdgeCounter::ring_stalls]; }, [](Slot s) { return s.return_stalls; });
  labelled(page, "ring_size_bytes", "Size of every worker's ring of that kind.", "gauge", "ring",
           std::array{std::pair("request", counted.request_ring_size), std::pair("return", counted.return_ring_size)});
}

void process(Page& page, const Counted& counted) {
  page.head("build_info", "1; labels describe meshd's build.", "gauge");
  page.line("build_info",
            "{" + quoted("version", NUROPB_VERSION) + "," + quoted("abi", std::to_string(counted.abi)) + "}",
            std::uint64_t{1});
  page.head("start_time_seconds", "When meshd began, in Unix time.", "gauge");
  page.line("start_time_seconds", "", Page::seconds(static_cast<std::uint64_t>(counted.started_at * 1e6)));
  page.head("cpu_seconds_total", "CPU time of meshd.", "counter");
  page.line("cpu_seconds_total", "", Page::seconds(static_cast<std::uint64_t>(counted.cpu_s * 1e6)));
  if (counted.resident_bytes)
    page.gauge("resident_memory_bytes", "Memory of meshd, including all rings.", *counted.resident_bytes);
  if (counted.open_files) page.gauge("open_fds", "Open file descriptors of meshd.", *counted.open_files);
  page.gauge("max_fds", "Limit of open file descriptors of meshd.", counted.most_files);
  page.counter("spans_exported_total", "Spans that the collector has accepted.", counted.spans.exported);
  page.counter("spans_dropped_total",
               "Spans that were dropped because the queue was full, or that the collector refused.",
               counted.spans.dropped);
  page.gauge("ignored_variables", "Environment variables named like settings that match no setting.",
             counted.ignored_variables);
  page.counter("runtime_dir_restored_total",
               "Files and sockets that were removed from the runtime folder and recreated.", counted.runtime_restored);
  page.gauge("ready", "1 if the gateway is ready (/readyz).", counted.readiness.ready() ? 1 : 0);
  page.gauge("users", "Users with open sessions.", counted.users);
}

}  // namespace

std::string_view name_of(mesh::State state) {
  for (const auto& [name, of] : states) {
    if (of == state) return name;
  }
  return "stopped";
}

std::string Readiness::json() const {
  const char* const status = edges == 0 ? "no edges" : edges == draining ? "draining" : ready() ? "ok" : "no broker";
  return std::string("{\"status\":\"") + status + "\",\"ready\":" + (ready() ? "true" : "false") +
         ",\"edges\":" + std::to_string(edges) + ",\"draining\":" + std::to_string(draining) + ",\"broker\":\"" +
         std::string(name_of(broker)) + "\"}\n";
}

void EdgeCounts::add(const EdgeCounts& other) {
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] += other.counters[i];
  for (std::size_t i = 0; i < closes.size(); ++i) closes[i] += other.closes[i];
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
  for (std::size_t i = 0; i < messages.size(); ++i) messages[i] += other.messages[i];
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].sum_us += other.stages[i].sum_us;
    for (std::size_t bucket = 0; bucket < latency::buckets; ++bucket)
      stages[i].counts[bucket] += other.stages[i].counts[bucket];
  }
}

void EdgeCounts::add(const shm::MeshdSegments& segments) {
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] += segments.counter(static_cast<shm::EdgeCounter>(i));
  for (std::size_t place = 0; place < closes.size(); ++place) closes[place] += segments.closes(place);
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += segments.outcomes(static_cast<RequestOutcome>(i));
  for (std::size_t i = 0; i < messages.size(); ++i) messages[i] += segments.messages(i);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const latency::Histogram one = segments.stage(static_cast<latency::EdgeStage>(i));
    stages[i].sum_us += one.sum_us;
    for (std::size_t bucket = 0; bucket < latency::buckets; ++bucket) stages[i].counts[bucket] += one.counts[bucket];
  }
}

void Counted::add(HandlerKind kind, const ServiceMeshManager& manager, const Pushes& of_pushes, const Peers& of_peers,
                  std::size_t its_sessions, std::size_t its_topics) {
  const auto counters = manager.counters();
  const std::uint64_t patterns = transport.patterns_refused + counters.patterns_refused,
                      malformed = transport.malformed + counters.malformed;
  transport = counters;
  transport.patterns_refused = patterns;
  transport.malformed = malformed;
  for (std::size_t reason = 0; reason < messages.size(); ++reason) {
    const auto which = static_cast<mesh::Refusal>(reason);
    messages[reason] += manager.refusals().count(which) + manager.controller_refusals().count(which);
  }
  pushes.sends += of_pushes.counters().sends;
  pushes.closes += of_pushes.counters().closes;
  pushes.for_peers += of_pushes.counters().for_peers;
  pushes.timeouts += of_pushes.counters().timeouts;
  peers = std::max<std::uint64_t>(peers, of_peers.alive().size());
  peer_messages_refused += of_peers.refused();
  peer_messages_unsigned += of_peers.unsigned_ones();
  sessions_of[index_of(kind)] = its_sessions;
  topics += its_topics;
  queued_bytes += manager.queued_bytes();
}

std::string metrics_page(const Counted& counted) {
  Page page;
  process(page, counted);
  requests(page, counted);
  authorization(page, counted);
  workers(page, counted);
  broker(page, counted);
  page.head("refused_messages_total", "Malformed or unexpected messages from the broker, by reason.", "counter");
  for (std::size_t kind = 0; kind < mesh::refusal_kinds; ++kind) {
    const auto reason = static_cast<mesh::Refusal>(kind);
    page.line("refused_messages_total", "{reason=\"" + std::string(mesh::to_text(reason)) + "\"}",
              counted.messages[kind]);
  }
  page.counter("dropped_events_total", "Events of the mesh that can't be delivered to clients.",
               counted.events_dropped);
  page.counter("left_out_events_total", "Events dropped for sockets that did not read (events.when_full).",
               counted.edges[shm::EdgeCounter::dropped_events]);
  page.head("refused_by_limit_total", "Messages, subscriptions and sessions refused, by limit.", "counter");
  const auto& refused = counted.refused;
  for (const auto& [limit, count] :
       {std::pair("messages_per_s", counted.edges[shm::EdgeCounter::over_messages_per_s]),
        std::pair("bytes_per_s", counted.edges[shm::EdgeCounter::over_bytes_per_s]),
        std::pair("pending_per_session", counted.edges[shm::EdgeCounter::over_pending]),
        std::pair("memory_bytes", counted.edges[shm::EdgeCounter::over_memory]),
        std::pair("message_ms", counted.edges[shm::EdgeCounter::over_message_ms]),
        std::pair("control_frames_per_s", counted.edges[shm::EdgeCounter::over_control_frames]),
        std::pair("refused_tokens_per_s", counted.edges[shm::EdgeCounter::over_refused_tokens]),
        std::pair("handshakes", counted.edges[shm::EdgeCounter::over_handshake_share]),
        std::pair("connections_per_user", refused.connections), std::pair("user_messages_per_s", refused.user_messages),
        std::pair("user_bytes_per_s", refused.user_bytes), std::pair("pending_per_user", refused.user_pending),
        std::pair("subscriptions_per_session", refused.subscriptions),
        std::pair("subscriptions_per_user", refused.user_subscriptions)}) {
    page.line("refused_by_limit_total", "{limit=\"" + std::string(limit) + "\"}", count);
  }
  page.head("closes_total", "Sockets that the gateway closed, by close code.", "counter");
  for (std::size_t place = 0; place < counted.edges.closes.size(); ++place) {
    const std::string code = place < close_code::all.size() ? std::to_string(close_code::all[place]) : "other";
    page.line("closes_total", "{code=\"" + code + "\"}", counted.edges.closes[place]);
  }
  const auto& amqp = counted.transport;
  page.counter("amqp_connection_attempts_total", "Attempts to connect to the broker.", amqp.attempts);
  page.counter("amqp_addresses_passed_over_total",
               "Addresses of a broker's name that failed before another one connected.", amqp.addresses_passed_over);
  page.counter("amqp_queue_forms_total",
               "Queues declared with other properties than configured, because the broker refused those.",
               amqp.queue_forms);
  page.counter("amqp_connections_total", "Connections to the broker that were made.", amqp.connections);
  page.counter("amqp_handovers_total", "Connections that were replaced to use new credentials.", amqp.handovers);
  page.counter("amqp_refused_credentials_total", "New credentials that could not be read or used.",
               amqp.refused_credentials);
  page.counter("amqp_channels_closed_total", "Channels that the broker closed.", amqp.channels_closed);
  page.counter("amqp_consumers_cancelled_total", "Consumers that the broker cancelled.", amqp.consumers_cancelled);
  page.counter("amqp_patterns_refused_total", "Topic patterns that the broker refused.", amqp.patterns_refused);
  page.head("amqp_refused_messages_total",
            "Messages that were not published because the broker refuses them, by reason.", "counter");
  for (const auto& [about, count] : {std::pair("size", amqp.refused_size), std::pair("topic", amqp.refused_topic),
                                     std::pair("other", amqp.refused_otherwise), std::pair("frame", amqp.refused_frame),
                                     std::pair("interrupted", amqp.refused_interrupted)}) {
    page.line("amqp_refused_messages_total", "{about=\"" + std::string(about) + "\"}", count);
  }
  page.gauge("amqp_queued_bytes", "Bytes of messages that wait to be published.", counted.queued_bytes);
  page.counter("push_sends_total", "Sends to clients that were requested from this gateway.", counted.pushes.sends);
  page.counter("push_closes_total", "Closings of clients that were requested from this gateway.",
               counted.pushes.closes);
  page.counter("push_for_peers_total", "Sends, closings and counts that other gateways requested.",
               counted.pushes.for_peers);
  page.counter("push_timeouts_total", "Sends and closings that ended without an answer from some edge or gateway.",
               counted.pushes.timeouts);
  page.counter("peer_refused_messages_total",
               "Messages under the gateways' topic that were malformed or failed authentication.",
               counted.peer_messages_refused);
  page.counter("peer_unsigned_messages_total", "Messages of other gateways that were accepted without a MAC.",
               counted.peer_messages_unsigned);
  page.gauge("peers", "Other live gateways of the service.", counted.peers);
  page.counter("sessions_parked_total", "Sessions that lost their socket and were kept for their client.",
               counted.resumes.parked);
  page.counter("sessions_resumed_total", "Sessions that were resumed.", counted.resumes.resumed);
  page.counter("resumes_failed_total", "Failed attempts to resume a session.", counted.resumes.failed);
  page.counter("sessions_given_up_total", "Detached sessions whose client did not resume in time.",
               counted.resumes.ended);
  page.counter("mailbox_let_go_total", "Sequenced messages that were evicted because of a limit, possibly unseen.",
               counted.let_go);
  page.gauge("sessions_parked", "Detached sessions that wait for their client.", counted.waiting);
  page.gauge("mailboxes", "Resumable sessions.", counted.mailboxes);
  page.gauge("mailbox_bytes", "Bytes of stored sequenced messages.", counted.mailbox_bytes);
  page.gauge("workers", "Edges that are attached.", counted.workers);
  page.counter("workers_killed_total", "Edges that were killed because they violated the ring protocol or hung.",
               counted.killed_workers);
  page.counter("clock_steps_total", "Steps of the wall clock by a second or more, since meshd began.",
               counted.clock_steps);
  page.counter("admin_refused_total", "Requests on the admin socket without its key.", counted.admin_refused);
  page.gauge("sessions", "Open sessions.", counted.sessions);
  page.head("handler_sessions", "Open sessions whose token was accepted, by listener kind.", "gauge");
  for (std::size_t kind = 0; kind < handler_kinds; ++kind)
    page.line("handler_sessions", "{handler=\"" + std::string(handler_kind_names[kind]) + "\"}",
              counted.sessions_of[kind]);
  page.gauge("topics", "Topic patterns with a subscriber.", counted.topics);
  return page.text;
}

std::vector<Taken> taken(const Counted& counted) {
  using latency::EdgeStage;
  using latency::MeshStage;
  const auto edge = [&](EdgeStage which) -> const auto& {
    return counted.edges.stages[static_cast<std::size_t>(which)];
  };
  const auto mesh = [&](MeshStage which) -> const auto& {
    return counted.loop.stages[static_cast<std::size_t>(which)];
  };
  constexpr std::string_view by_stage = "stage_seconds";
  return {{by_stage, "edge_in", edge(EdgeStage::edge_in)},
          {by_stage, "request_ring", mesh(MeshStage::request_ring)},
          {by_stage, "broker", mesh(MeshStage::broker)},
          {by_stage, "service", mesh(MeshStage::service)},
          {by_stage, "return_ring", edge(EdgeStage::return_ring)},
          {by_stage, "edge_out", edge(EdgeStage::edge_out)},
          {"request_seconds", "", edge(EdgeStage::whole)}};
}

}  // namespace nuropb::meshd
