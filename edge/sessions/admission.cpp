#include "edge/sessions/admission.hpp"

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/trace.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/protocol/origin.hpp"
#include "edge/sessions/drain_controller.hpp"
#include "edge/sessions/guess_guard.hpp"
#include "edge/sessions/session_slots.hpp"
#include "edge/sessions/silent_sockets.hpp"

namespace nuropb::edge {
namespace {

/// A client that presents nothing else is who its certificate says.
std::optional<FoundToken> token_of_certificate(const ClientCertificate& certificate) {
  if (certificate.name.empty() || certificate.name.size() > records::max_credential) return {};
  return FoundToken{records::CredentialKind::client_certificate, certificate.name, certificate.valid_until};
}

/// Of a handshake and of a call.
HttpAnswer too_many_refused() {
  HttpAnswer out = refusal(429, error_name::authentication,
                           "too many tokens of this address were refused (limits.refused_tokens_per_s)");
  out.headers.emplace_back("Retry-After", "10");
  return out;
}

}  // namespace

Admission::Admission(const Config& config, MeshLink& link, const SessionSlots& slots, SilentSockets& silent,
                     GuessGuard& guesses, const DrainController& drain,
                     std::function<bool(std::string_view)> is_own_page)
    : config_(config),
      link_(link),
      slots_(slots),
      silent_(silent),
      guesses_(guesses),
      drain_(drain),
      is_own_page_(std::move(is_own_page)),
      nuropb_(config.limits.json()),
      calls_(config.limits.json()),
      snorky_(config.limits.json()) {}

bool Admission::at_snorky(const Handshake& handshake) const {
  return !config_.snorky.path.empty() && handshake.path() == config_.snorky.path;
}

bool Admission::admit(const Handshake& handshake, HttpAnswer& refusal) {
  refusal.status = 0;
  check(handshake, refusal);
  if (refusal.status == 0) return true;
  link_.count(shm::EdgeCounter::refused_handshakes);
  return false;
}

/// Leaves the status 0 if nothing is wrong.
void Admission::check(const Handshake& handshake, HttpAnswer& refusal) {
  const auto token = token_of(handshake);
  const std::string peer = handshake.remote();
  if (handshake.path() != config_.listen.path && !at_snorky(handshake)) {
    refusal = nuropb::refusal(404, error_name::handling, "WebSockets are opened at " + config_.listen.path);
  } else if (handshake.header("Sec-WebSocket-Version") != "13") {
    // websocketpp would accept the drafts before RFC 6455 as well, which frame and close by other rules.
    refusal = nuropb::refusal(426, error_name::validation, "only WebSocket version 13 (RFC 6455) is spoken here");
    refusal.headers.emplace_back("Sec-WebSocket-Version", "13");
  } else if (drain_.refusing()) {
    refusal = come_again("this edge is stopping");
  } else if (!link_.attached()) {
    refusal = come_again("this edge is not attached to meshd");
  } else if (slots_.connections() >= config_.limits.connections) {
    refusal = come_again("all connections are taken (limits.connections)");
  } else if (!origin_allowed(handshake.header("Origin"), config_.listen.origins) &&
             !is_own_page_(handshake.header("Origin"))) {
    link_.count(shm::EdgeCounter::wrong_origin);
    refusal = nuropb::refusal(403, error_name::authorization, "this origin may not connect (listen.origins)");
  } else if (!token && !config_.auth.first_message) {
    link_.count(shm::EdgeCounter::no_token);
    refusal = nuropb::refusal(401, error_name::authentication,
                              "a bearer token is needed, in the " + config_.auth.header + " header or a cookie");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  } else if (!token && !silent_.make_room(peer)) {
    refusal = come_again("too many connections owe their first message (auth.first_message_waiting)");
  } else if (token && !guesses_.may_present_token(host_in_peer(peer), token->token)) {
    refusal = too_many_refused();
  } else if (offers_protocol(handshake.header("Sec-WebSocket-Protocol"), subprotocol_name)) {
    refusal.protocol = subprotocol_name;
  } else if (token && token->kind == records::CredentialKind::subprotocol) {
    // One of the offered subprotocols has to be selected, or browsers close the socket. It must not be the token, which would
    // be sent back.
    refusal =
        nuropb::refusal(400, error_name::validation, "the subprotocol 'nuropb' has to be offered beside the token");
  }
}

std::optional<FoundToken> Admission::token_of_call(const Handshake& request) const {
  const auto found = find_token({"POST", request.header(config_.auth.header), {}, {}, {}}, {});
  return found ? found : token_of_certificate(request.certificate());
}

bool Admission::admit_call(const Handshake& request, const std::optional<FoundToken>& token, bool has_place,
                           HttpAnswer& refusal) const {
  const std::string peer = request.remote();
  if (drain_.refusing()) {
    refusal = come_again("this edge is stopping");
  } else if (!link_.attached()) {
    refusal = come_again("this edge is not attached to meshd");
  } else if (slots_.connections() >= config_.limits.connections + (has_place ? 1 : 0)) {
    refusal = come_again("all connections are taken (limits.connections)");
  } else if (!token) {
    link_.count(shm::EdgeCounter::no_token);
    refusal = nuropb::refusal(401, error_name::authentication,
                              "a bearer token is needed in the " + config_.auth.header + " header");
  } else if (!guesses_.may_present_token(host_in_peer(peer), token->token)) {
    refusal = too_many_refused();
  } else {
    return true;
  }
  link_.count(shm::EdgeCounter::refused_handshakes);
  return false;
}

NewSession Admission::session_of_call(const Handshake& request, FoundToken token) const {
  NewSession out;
  out.identity = HandlerKind::web_socket;
  out.protocol = &calls_;
  out.token = std::move(token);
  out.peer = request.remote();
  return out;
}

LineListener::Closing Admission::admit_line(std::string_view peer) {
  if (drain_.refusing()) return {close_code::going_away, "this edge is stopping"};
  if (!link_.attached()) return {close_code::mesh_unavailable, "this edge is not attached to meshd"};
  if (slots_.connections() >= config_.limits.connections)
    return {close_code::too_many_connections, "all connections are taken (limits.connections)"};
  if (!silent_.make_room(peer))
    return {close_code::too_many_connections,
            "too many connections owe their first message (auth.first_message_waiting)"};
  return {};
}

std::optional<FoundToken> Admission::token_of(const Handshake& handshake) const {
  const Config::Auth& auth = config_.auth;
  auto found = find_token({handshake.method(), handshake.header(auth.header), handshake.header("Cookie"),
                           handshake.header("Sec-WebSocket-Protocol"), handshake.query()},
                          {auth.cookie, auth.session_cookie, auth.query, auth.subprotocol});
  if (!found) found = token_of_certificate(handshake.certificate());
  if (!found && at_snorky(handshake) && config_.snorky.anonymous) found = FoundToken{records::CredentialKind::none, {}};
  return found;
}

NewSession Admission::session_of(const Handshake& handshake) const {
  NewSession out;
  out.identity = HandlerKind::web_socket;
  if (at_snorky(handshake)) out.protocol = &snorky_;
  else out.protocol = &nuropb_;
  out.token = token_of(handshake);
  out.peer = handshake.remote();
  if (const auto parent = parse_traceparent(handshake.header("traceparent"))) out.traceparent = parent->text();
  out.first_message_limit = milliseconds(config_.auth.first_message_ms);
  return out;
}

NewSession Admission::session_of_line(const std::string& peer, const ClientCertificate& certificate) const {
  NewSession out;
  out.identity = HandlerKind::lines;
  out.protocol = &nuropb_;
  out.token = token_of_certificate(certificate);
  out.peer = peer;
  out.first_message_limit = milliseconds(config_.lines.first_line_ms);
  out.bare_token_allowed = true;
  return out;
}

}  // namespace nuropb::edge
