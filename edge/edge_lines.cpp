// The edge's part in consumers that speak JSON lines: who is taken in. What they say is what WebSockets say.

#include "common/close_codes.hpp"
#include "edge/edge.hpp"

namespace nuropb::edge {

/// `door` is the WebSockets': limits, proxies and certificates are the same, and what comes is counted together.
void Edge::make_lines(DoorSettings door) {
  if (!config_.lines.enabled) return;
  using std::chrono::seconds;
  LineListener::Settings settings;
  settings.door = std::move(door);
  settings.door.address = config_.lines.address;
  settings.door.port = config_.lines.port;
  if (!config_.lines.tls) settings.door.tls.certificate_files.clear();
  settings.max_line = config_.limits.message_bytes;
  settings.liveness = {seconds(config_.listen.ping_interval_s), seconds(config_.listen.pong_timeout_s),
                       seconds(config_.listen.idle_timeout_s)};
  lines_ = std::make_unique<LineListener>(
      io_, std::move(settings),
      LineListener::Callbacks{
          [this](const std::string& peer) { return admit_line(peer); },
          [this](Connection& connection, const std::string& peer, const ClientCertificate& certificate) {
            return on_line_open(connection, peer, certificate);
          },
          [this] { link_.count(shm::EdgeCounter::refused_handshakes); }});
}

Result<void> Edge::start_lines() {
  if (!lines_) return {};
  if (const std::string wrong = lines_->listen(); !wrong.empty()) return failure(wrong, "lines", "");
  return {};
}

/// What a handshake is refused for with a status, a line is refused for with a close code.
LineListener::Closing Edge::admit_line(std::string_view peer) {
  if (phase_ >= Phase::draining) return {close_code::going_away, "this edge is stopping"};
  if (!link_.attached()) return {close_code::mesh_unavailable, "this edge is not attached to meshd"};
  if (connections_ >= config_.limits.connections)
    return {close_code::too_many_connections, "all connections are taken (limits.connections)"};
  if (!make_room_for_silent(peer))
    return {close_code::too_many_connections,
            "too many connections owe their first message (auth.first_message_waiting)"};
  return {};
}

/// Who shows a certificate has shown who they are; all others say it in their first line.
std::unique_ptr<Receiver> Edge::on_line_open(Connection& connection, const std::string& peer,
                                             const ClientCertificate& certificate) {
  std::optional<FoundToken> token;
  if (!certificate.name.empty() && certificate.name.size() <= records::max_credential)
    token = FoundToken{records::CredentialKind::client_certificate, certificate.name, certificate.valid_until};
  return begin(take_in(connection, HandlerKind::lines, token, peer));
}

}  // namespace nuropb::edge
