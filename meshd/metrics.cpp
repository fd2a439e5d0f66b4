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
    text += "nuropb_gateway_" + std::string(name) + std::string(labels) + " " + std::to_string(value) + "\n";
  }
  std::string text;
};

}  // namespace

void EdgeCounts::add(const shm::MeshdSegments& segments) {
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] += segments.counter(static_cast<shm::EdgeCounter>(i));
  for (std::size_t place = 0; place < closes.size(); ++place) closes[place] += segments.closes(place);
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
  sessions_of[index_of(kind)] = its_sessions;
  topics += its_topics;
  queued_bytes += manager.queued_bytes();
}

std::string metrics_page(const Counted& counted) {
  Page page;
  page.head("refused_messages_total", "Messages from the broker that were not what they should be, by reason.",
            "counter");
  for (std::size_t kind = 0; kind < mesh::refusal_kinds; ++kind) {
    const auto reason = static_cast<mesh::Refusal>(kind);
    page.line("refused_messages_total", "{reason=\"" + std::string(mesh::to_text(reason)) + "\"}",
              counted.messages[kind]);
  }
  page.counter("dropped_events_total", "Events of the mesh that can't be shown to consumers.", counted.events_dropped);
  page.counter("left_out_events_total", "Events left out for sockets that did not read (events.when_full).",
               counted.edges[shm::EdgeCounter::dropped_events]);
  page.head("refused_by_limit_total", "Messages, subscriptions and sessions refused, by limit.", "counter");
  const auto& refused = counted.refused;
  for (const auto& [limit, count] :
       {std::pair("messages_per_s", counted.edges[shm::EdgeCounter::over_messages_per_s]),
        std::pair("bytes_per_s", counted.edges[shm::EdgeCounter::over_bytes_per_s]),
        std::pair("pending_per_session", counted.edges[shm::EdgeCounter::over_pending]),
        std::pair("connections_per_user", refused.connections), std::pair("user_messages_per_s", refused.user_messages),
        std::pair("user_bytes_per_s", refused.user_bytes),
        std::pair("subscriptions_per_session", refused.subscriptions)}) {
    page.line("refused_by_limit_total", "{limit=\"" + std::string(limit) + "\"}", count);
  }
  page.head("closes_total", "Sockets that the gateway closed, by close code.", "counter");
  for (std::size_t place = 0; place < counted.edges.closes.size(); ++place) {
    const std::string code = place < close_code::all.size() ? std::to_string(close_code::all[place]) : "other";
    page.line("closes_total", "{code=\"" + code + "\"}", counted.edges.closes[place]);
  }
  const auto& amqp = counted.transport;
  page.counter("amqp_connection_attempts_total", "Attempts to connect to the broker.", amqp.attempts);
  page.counter("amqp_connections_total", "Connections to the broker that were made.", amqp.connections);
  page.counter("amqp_handovers_total", "Connections that were replaced for new credentials.", amqp.handovers);
  page.counter("amqp_refused_credentials_total", "New credentials that could not be read or used.",
               amqp.refused_credentials);
  page.counter("amqp_channels_closed_total", "Channels that the broker closed.", amqp.channels_closed);
  page.counter("amqp_consumers_cancelled_total", "Consumers that the broker cancelled.", amqp.consumers_cancelled);
  page.counter("amqp_patterns_refused_total", "Topic patterns that the broker refused.", amqp.patterns_refused);
  page.gauge("amqp_queued_bytes", "Messages that wait to be published.", counted.queued_bytes);
  page.counter("push_sends_total", "Sends to consumers that were asked of this gateway.", counted.pushes.sends);
  page.counter("push_closes_total", "Closings of consumers that were asked of this gateway.", counted.pushes.closes);
  page.counter("push_for_peers_total", "Sends, closings and counts that other gateways asked for.",
               counted.pushes.for_peers);
  page.counter("push_timeouts_total", "Sends and closings that ended with an edge or gateway silent.",
               counted.pushes.timeouts);
  page.counter("peer_refused_messages_total", "Messages under the gateways' topic that were none of a gateway's.",
               counted.peer_messages_refused);
  page.gauge("peers", "Other gateways of the service that live.", counted.peers);
  page.counter("sessions_parked_total", "Sessions that lost their socket and were kept for their consumer.",
               counted.resumes.parked);
  page.counter("sessions_resumed_total", "Sessions that were taken up again.", counted.resumes.resumed);
  page.counter("resumes_failed_total", "Attempts to take up a session that failed.", counted.resumes.failed);
  page.counter("sessions_given_up_total", "Sessions that were kept and whose consumer did not come back.",
               counted.resumes.ended);
  page.counter("mailbox_let_go_total", "Numbered messages that were let go for a bound, perhaps unseen.",
               counted.let_go);
  page.gauge("sessions_parked", "Sessions that wait for their consumer.", counted.waiting);
  page.gauge("mailboxes", "Sessions whose messages are kept.", counted.mailboxes);
  page.gauge("mailbox_bytes", "Numbered messages that are kept.", counted.mailbox_bytes);
  page.gauge("workers", "Edges that are attached.", counted.workers);
  page.counter("workers_killed_total", "Edges that were killed: they broke the rules of the rings, or hung.",
               counted.killed_workers);
  page.gauge("sessions", "Sessions that are open.", counted.sessions);
  page.head("handler_sessions", "Of those, the ones whose token was accepted, by kind of handler.", "gauge");
  for (std::size_t kind = 0; kind < handler_kinds; ++kind)
    page.line("handler_sessions", "{handler=\"" + std::string(handler_kind_names[kind]) + "\"}",
              counted.sessions_of[kind]);
  page.gauge("topics", "Topic patterns that somebody is subscribed to.", counted.topics);
  return page.text;
}

}  // namespace nuropb::meshd
