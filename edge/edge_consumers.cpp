// The consumers' side of the edge: handshakes, messages, sessions.

#include <algorithm>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/trace.hpp"
#include "edge/protocol/client_message.hpp"
#include "edge/edge.hpp"
#include "edge/protocol/origin.hpp"
#include "edge/protocol/snorky_message.hpp"
#include "edge/protocol/token_source.hpp"

namespace nuropb::edge {
namespace {

// Commands that go on to meshd while the broker takes nothing: a part of what may wait there even with the most edges and
// the defaults, so that what needs no broker always finds room.
constexpr std::size_t most_early_commands = 512 * 1024, command_cost = 512;

}  // namespace

bool Edge::admit(const Handshake& handshake, HttpAnswer& refusal) {
  refusal.status = 0;
  const bool snorky = at_snorky(handshake);
  const auto token = token_of(handshake);
  const std::string peer = handshake.remote();
  if (handshake.path() != config_.listen.path && !snorky) {
    refusal = nuropb::refusal(404, error_name::handling, "WebSockets are opened at " + config_.listen.path);
  } else if (handshake.header("Sec-WebSocket-Version") != "13") {
    // websocketpp would take the drafts before RFC 6455 as well, which frame and close by other rules.
    refusal = nuropb::refusal(426, error_name::validation, "only WebSocket version 13 (RFC 6455) is spoken here");
    refusal.headers.emplace_back("Sec-WebSocket-Version", "13");
  } else if (phase_ >= Phase::draining) {
    refusal = come_again("this edge is stopping");
  } else if (!link_.attached()) {
    refusal = come_again("this edge is not attached to meshd");
  } else if (connections_ >= config_.limits.connections) {
    refusal = come_again("all connections are taken (limits.connections)");
  } else if (!origin_allowed(handshake.header("Origin"), config_.listen.origins) &&
             !is_console(handshake.header("Origin"))) {
    link_.count(shm::EdgeCounter::wrong_origin);
    refusal = nuropb::refusal(403, error_name::authorization, "this origin may not connect (listen.origins)");
  } else if (!token && !config_.auth.first_message) {
    link_.count(shm::EdgeCounter::no_token);
    refusal = nuropb::refusal(401, error_name::authentication,
                              "a bearer token is needed, in the " + config_.auth.header + " header or a cookie");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  } else if (!token && !make_room_for_silent(peer)) {
    refusal = come_again("too many connections owe their first message (auth.first_message_waiting)");
  } else if (token && !may_guess(token_guesses_, host_in_peer(peer), token->token, "limits.refused_tokens_per_s")) {
    refusal = nuropb::refusal(429, error_name::authentication,
                              "too many tokens of this address were refused (limits.refused_tokens_per_s)");
    refusal.headers.emplace_back("Retry-After", "10");
  } else if (offers_protocol(handshake.header("Sec-WebSocket-Protocol"), subprotocol_name)) {
    refusal.protocol = subprotocol_name;
  } else if (token && token->kind == records::CredentialKind::subprotocol) {
    // One of those offered has to be selected, or browsers give up; and that must not be the token, which would come back.
    refusal =
        nuropb::refusal(400, error_name::validation, "the subprotocol 'nuropb' has to be offered beside the token");
  }
  if (refusal.status == 0) return true;
  link_.count(shm::EdgeCounter::refused_handshakes);
  return false;
}

/// Whether there is room for one more socket without a token: else the address that has most of them gives up its oldest one
/// for a client of another address.
bool Edge::make_room_for_silent(std::string_view peer) {
  if (silent_.size() < config_.auth.first_message_waiting) return true;
  const auto host_of = [](std::string_view text) {
    const auto address = IpAddress::parse(text);
    return address ? address->host() : IpAddress();
  };
  struct Silent {
    std::size_t count = 0;
    ConsumerHandler* oldest = nullptr;
  };
  std::map<IpAddress, Silent> by_host;  // ordered: outsiders choose their addresses
  for (ConsumerHandler* const one : silent_) {
    Silent& of = by_host[host_of(one->host())];
    ++of.count;
    if (!of.oldest || one->serial() < of.oldest->serial()) of.oldest = one;
  }
  const std::size_t own = by_host[host_of(host_in_peer(peer))].count;
  const auto most = std::max_element(by_host.begin(), by_host.end(),
                                     [](const auto& a, const auto& b) { return a.second.count < b.second.count; });
  if (most->second.count <= own + 1) return false;
  ConsumerHandler* const oldest = most->second.oldest;
  ++silent_gave_way_;
  log_closed(*oldest, "auth.first_message_waiting");
  oldest->close(close_code::authorize_timeout, "no authorize message yet, and other clients wait");
  return true;
}

/// Whether somebody may be asked about what this address has shown. Else it is counted and logged.
bool Edge::may_guess(GuessLimit& guesses, std::string_view host, std::string_view secret, std::string_view what) {
  const SteadyTime now = clock_.now();
  if (secret.empty() || guesses.may_ask(host, secret, now)) return true;
  count(shm::EdgeCounter::over_refused_tokens);
  if (const auto left_out = guess_pause_.due(now))
    log::warning("an address is held back: it has shown too much that was refused",
                 {{"address", host}, {"reason", what}, {"left_out", *left_out}});
  return false;
}

std::unique_ptr<Receiver> Edge::on_open(Connection& connection, const Handshake& handshake) {
  auto handler = take_in(connection, HandlerKind::web_socket, token_of(handshake), handshake.remote());
  if (at_snorky(handshake)) handler->speak_snorky();
  if (const auto parent = parse_traceparent(handshake.header("traceparent"))) handler->begin_trace(parent->text());
  return begin(std::move(handler));
}

/// A handler in a slot of its own. Without a token it owes its first message.
std::unique_ptr<ConsumerHandler> Edge::take_in(Connection& connection, HandlerKind kind,
                                               const std::optional<FoundToken>& token, std::string peer) {
  std::uint32_t slot = static_cast<std::uint32_t>(handlers_.size());
  if (free_slots_.empty()) {
    handlers_.push_back(nullptr);
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  ++connections_;
  auto handler = std::make_unique<ConsumerHandler>(*this, connection, slot, ++next_serial_, !token);
  handlers_[slot] = handler.get();
  handler->serve_as(kind);
  handler->peer() = std::move(peer);
  link_.set(shm::EdgeCounter::sessions, connections_);
  if (token) {
    handler->credential() = *token;
    await_opening(*handler, milliseconds(config_.auth.verdict_timeout_ms));
  } else {
    silent_.insert(handler.get());
    const std::uint32_t limit =
        kind == HandlerKind::lines ? config_.lines.first_line_ms : config_.auth.first_message_ms;
    await_opening(*handler, milliseconds(limit));
  }
  return handler;
}

std::unique_ptr<Receiver> Edge::begin(std::unique_ptr<ConsumerHandler> handler) {
  if (phase_ >= Phase::draining) {
    handler->close(close_code::going_away,
                   "the gateway is stopping");  // its handshake was under way when the end began
  } else if (link_.attached() && handler->state() == ConsumerHandler::State::judging) {
    present(*handler);  // else when it is
  }
  return handler;
}

std::size_t Edge::sessions() const {
  std::size_t out = 0;
  for (const HandlerManager& manager : managers_) out += manager.sessions();
  return out;
}

HttpAnswer Edge::probe(std::string_view page) const {
  const bool ready = phase_ == Phase::serving && link_.attached() &&
                     (!config_.listen.ready_with_broker || link_.broker() != shm::BrokerState::away);
  const char* const status = phase_ != Phase::serving ? "draining" : link_.attached() ? "ok" : "unattached";
  const char* const broker = link_.broker() == shm::BrokerState::ready     ? "ready"
                             : link_.broker() == shm::BrokerState::blocked ? "blocked"
                                                                           : "away";
  HttpAnswer out;
  out.status = ready || page == alive_page ? 200 : 503;
  out.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  out.body = std::string("{\"status\":\"") + status + "\",\"ready\":" + (ready ? "true" : "false") +
             ",\"attached\":" + (link_.attached() ? "true" : "false") + ",\"broker\":\"" + broker +
             "\",\"sessions\":" + std::to_string(sessions()) + ",\"connections\":" + std::to_string(connections_) +
             ",\"pending\":" + std::to_string(pending_.size()) + "}\n";
  return out;
}

std::optional<FoundToken> Edge::token_of(const Handshake& handshake) const {
  const Config::Auth& auth = config_.auth;
  auto found = find_token({handshake.method(), handshake.header(auth.header), handshake.header("Cookie"),
                           handshake.header("Sec-WebSocket-Protocol"), handshake.query()},
                          {auth.cookie, auth.session_cookie, auth.query, auth.subprotocol});
  // Only a consumer that shows nothing else is who its certificate says.
  const ClientCertificate& certificate = handshake.certificate();
  if (!found && !certificate.name.empty() && certificate.name.size() <= records::max_credential) {
    found = FoundToken{records::CredentialKind::client_certificate, certificate.name, certificate.valid_until};
  }
  if (!found && at_snorky(handshake) && config_.snorky.anonymous) found = FoundToken{records::CredentialKind::none, {}};
  return found;
}

void Edge::on_first_message(ConsumerHandler& handler, std::string_view text) {
  std::string token;
  if (handler.kind() == HandlerKind::lines && !text.starts_with('{')) {
    token = strip_bearer(text);  // no message begins otherwise, so this is the bare token
  } else {
    ClientMessage message = decode_client_message(text, config_.limits.json());
    const auto* const ours = std::get_if<ClientRequest>(&message);
    if (ours && ours->verb == records::Type::authorize) token = strip_bearer(ours->token);
  }
  if (token.empty() || token.size() > records::max_credential) {
    link_.count(shm::EdgeCounter::no_first_message);
    return handler.close(close_code::token_refused, "the first message has to be authorize");
  }
  if (!may_guess(token_guesses_, handler.host(), token, "limits.refused_tokens_per_s"))
    return handler.close(close_code::too_many_connections,
                         "too many tokens of this address were refused (limits.refused_tokens_per_s)");
  silent_.erase(&handler);
  handler.credential() = {records::CredentialKind::message, std::move(token)};
  handler.begin_judging();
  await_opening(handler, milliseconds(config_.auth.verdict_timeout_ms));
  if (link_.attached()) present(handler);  // else when it is
}

HttpAnswer Edge::on_http(const Handshake& request) {
  if (is_probe(request.path())) return probe(request.path());
  if (request.path() == config_.listen.path || at_snorky(request)) {
    HttpAnswer out = refusal(400, error_name::validation, "this is a WebSocket: send an upgrade (RFC 6455)");
    out.headers.emplace_back("Sec-WebSocket-Version", "13");
    return out;
  }
  return refusal(404, error_name::handling, "nothing here: WebSockets are opened at " + config_.listen.path);
}

void Edge::present(ConsumerHandler& handler) {
  record_.clear();
  const FoundToken& credential = handler.credential();
  records::encode(records::OpenSession{handler.slot(), handler.serial(), handler.session_id(), credential.kind,
                                       credential.token, std::string_view(handler.peer()).substr(0, records::max_peer),
                                       handler.kind(), credential.valid_until},
                  record_);
  if (!link_.write(records::Type::open_session, 0, record_) && link_.attached()) to_present_.push_back(&handler);
}

void Edge::end_session(std::uint32_t slot, std::uint32_t serial, std::uint16_t code, std::string_view reason) {
  ConsumerHandler* const handler = find(slot);
  if (handler && handler->serial() == serial) handler->close(code, reason);
}

void Edge::on_closing(ConsumerHandler& handler) {
  if (half_told(handler)) handler.numbers()->lost = true;
  forget_subscriptions(handler);
  manager(handler.kind()).unregister_handler(handler);
  count_abandoned(handler);
  pending_.drop(handler.requests());
  held_.erase(&handler);
  silent_.erase(&handler);
  leaving_.erase(&handler);
  std::erase(to_present_, &handler);
  to_say_.erase(&handler);
}

void Edge::on_closed(ConsumerHandler& handler, bool lost) {
  on_closing(handler);
  handlers_[handler.slot()] = nullptr;
  --connections_;
  link_.set(shm::EdgeCounter::sessions, connections_);
  to_close_.push_back({handler.slot(), handler.serial(), lost && !(handler.numbered() && handler.numbers()->lost)});
  close_waiting();
}

void Edge::close_waiting() {
  // A slot is used again only once meshd has been told of the end of its last session, or there is no meshd to tell.
  for (; !to_close_.empty(); to_close_.pop_front()) {
    record_.clear();
    records::encode(to_close_.front(), record_);
    if (!link_.write(records::Type::close_session, 0, record_) && link_.attached()) return;
    free_slots_.push_back(to_close_.front().session);
  }
}

std::optional<SteadyTime> Edge::handle_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) {
  if (handler.speaks_snorky()) return handle_snorky(handler, text, arrived);
  ClientMessage message = decode_client_message(text, config_.limits.json());
  if (const auto* mistake = std::get_if<ClientMistake>(&message)) {
    link_.count(shm::EdgeCounter::bad_messages);
    handler.write_message(encode_mistake(*mistake));
    return {};
  }
  auto& ours = std::get<ClientRequest>(message);
  if (refuses(handler)) {
    count_outcome(RequestOutcome::refused);
    answer(handler, ours.trace_id.empty() ? "null" : ours.trace_id, "null",
           error_json(error_name::transport, "the gateway is stopping; the request was not sent"));
    return {};
  }
  const std::uint64_t ttl =
      std::min<std::uint64_t>(ours.ttl_ms.value_or(config_.request.ttl_ms), config_.request.max_ttl_ms);
  const SteadyTime deadline = arrived + milliseconds(ttl);
  const bool known =
      handler.state() == ConsumerHandler::State::open;  // to this meshd: else the record would be a violation
  if (ours.verb == records::Type::resume && resume_or_ack(handler, ours)) return {};
  if (known && may_send(handler, ours) && takes_from(handler) && request(handler, ours, arrived, deadline)) return {};
  if (clock_.now() < deadline) return deadline;
  time_out(handler, ours.trace_id.empty() ? "null" : ours.trace_id,
           "the mesh was not reachable in time; the request was not sent");
  return {};
}

bool Edge::may_send(ConsumerHandler& handler, const ClientRequest& message) const {
  // A fresh token needs no broker, nor does what meshd keeps.
  if (message.verb == records::Type::authorize || message.verb == records::Type::resume) return may_call();
  if (!handler.unsent().empty()) return false;
  // Nobody waits for what a command does: it can as well wait in meshd, and its socket is read on.
  return may_send() || (message.verb == records::Type::command && may_call() &&
                        early_commands_ + message.params.size() + command_cost <= most_early_commands);
}

void Edge::refuse_over_rate(ConsumerHandler& handler, std::string_view text, RateLimit::Over over) {
  const bool messages = over == RateLimit::Over::messages;
  count(messages ? shm::EdgeCounter::over_messages_per_s : shm::EdgeCounter::over_bytes_per_s);
  count_outcome(RequestOutcome::refused);
  const Rates& rates = config_.limits.connection;
  const std::string why = "more than " + std::to_string(messages ? rates.messages_per_s : rates.bytes_per_s) +
                          (messages ? " messages a second (limits.messages_per_s); it was not sent"
                                    : " bytes a second (limits.bytes_per_s); it was not sent");
  // It is read all the same, for the trace_id that its sender waits for.
  if (handler.speaks_snorky()) return refuse_call(handler, text, why);
  const ClientMessage message = decode_client_message(text, config_.limits.json());
  const auto* const request = std::get_if<ClientRequest>(&message);
  if (request)
    return answer(handler, request->trace_id.empty() ? "null" : request->trace_id, "null",
                  error_json(error_name::transport, why));
  handler.write_message(
      encode_mistake({std::string(error_name::transport), why, std::get<ClientMistake>(message).trace_id}));
}

bool Edge::request(ConsumerHandler& handler, ClientRequest& message, SteadyTime arrived, SteadyTime deadline) {
  std::string trace_id = message.trace_id.empty() ? json::quoted(random_hex32()) : std::string(message.trace_id);
  if (handler.requests().count >= config_.limits.pending_per_session) {
    count(shm::EdgeCounter::over_pending);
    count_outcome(RequestOutcome::refused);
    answer(handler, trace_id, "null",
           error_json(error_name::transport, "more than " + std::to_string(config_.limits.pending_per_session) +
                                                 " requests are outstanding (limits.pending_per_session)"));
    return true;
  }
  const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
  const records::Origin origin = origin_of(handler, message.traceparent, arrived);
  if (!write(handler, message, origin, deadline, trace_id, sequence)) return false;
  ++next_sequence_;
  link_.count(shm::EdgeCounter::requests);
  link_.count_message(message.verb);
  link_.measure(latency::EdgeStage::edge_in, origin.waited_us);
  if (log::enabled(log::Level::debug)) log_sent(handler, message, trace_id, origin);
  if (message.verb == records::Type::unsubscribe) {
    unsubscribed(handler, message.topic);
    for (PendingRequest& request : handler.requests().list) {
      if (request.topic == message.topic)
        request.topic.clear();  // its answer is still to come, and begins nothing any more
    }
  }
  PendingRequest& pending =
      pending_.add(sequence, handler.slot(), handler.requests(), deadline, std::move(trace_id),
                   message.verb == records::Type::subscribe ? std::move(message.topic) : std::string());
  pending.verb = message.verb;
  pending.arrived = arrived;
  if (config_.log.slow_request_ms > 0) pending.called = called_of(message, origin.waited_us);
  if (message.verb == records::Type::command && link_.broker() != shm::BrokerState::ready)
    early_commands_ += message.params.size() + command_cost;
  pending.ring_end = link_.written();
  let_meshd_keep_time(handler, pending);
  if (message.idempotent) pending_.keep(pending, record_, config_.limits.send_queue_bytes);
  arm_timer();
  return true;
}

bool Edge::write(ConsumerHandler& handler, const ClientRequest& message, const records::Origin& origin,
                 SteadyTime deadline, std::string_view trace_id, std::uint64_t sequence) {
  using records::Type;
  record_.clear();
  switch (message.verb) {
    case Type::event:
      records::encode(records::Event{handler.slot(), handler.serial(), to_ring_ms(deadline), message.topic, trace_id,
                                     message.params, message.target, origin},
                      record_);
      break;
    case Type::subscribe:
    case Type::unsubscribe:
      records::encode(records::Subscription{handler.slot(), handler.serial(), message.topic, to_ring_ms(deadline),
                                            trace_id, origin},
                      record_);
      break;
    case Type::resume:
      records::encode(
          records::Resume{message.token.empty() ? records::Resume::What::keep : records::Resume::What::resume,
                          handler.slot(),
                          handler.serial(),
                          message.seq,
                          to_ring_ms(deadline),
                          message.token,
                          trace_id,
                          {}},
          record_);
      break;
    case Type::authorize:
      records::encode(records::Authorize{handler.slot(), handler.serial(), strip_bearer(message.token),
                                         to_ring_ms(deadline), trace_id},
                      record_);
      break;
    case Type::describe:
      records::encode(records::Request{handler.slot(), handler.serial(), to_ring_ms(deadline), message.service, "",
                                       trace_id, "", origin},
                      record_);
      break;
    default:
      records::encode(records::Request{handler.slot(), handler.serial(), to_ring_ms(deadline), message.service,
                                       message.method, trace_id, message.params, origin},
                      record_);
  }
  return link_.write(message.verb, sequence, record_);
}

void Edge::on_held(ConsumerHandler& handler) {
  held_.insert(&handler);
  arm_timer();
}

void Edge::on_released(ConsumerHandler& handler) { held_.erase(&handler); }

void Edge::end_pending(ConsumerHandler& handler, const PendingRequests::Taken& taken, std::string_view error) {
  if (taken.trace_id.empty()) return;
  count_outcome(RequestOutcome::unknown);
  ended(handler, taken, RequestOutcome::unknown, clock_.now(), {});
  if (handler.speaks_snorky()) fail_call(handler, taken.trace_id, "The gateway was interrupted; the call may have run");
  else conclude(handler, taken.trace_id, "null", error);
}

void Edge::expire(ConsumerHandler& handler, const PendingRequests::Taken& taken) {
  if (taken.trace_id.empty()) return;
  ended(handler, taken, RequestOutcome::timeout, clock_.now(), {});
  if (handler.speaks_snorky()) {
    link_.count(shm::EdgeCounter::timeouts);
    count_outcome(RequestOutcome::timeout);
    return fail_call(handler, taken.trace_id, "No answer in time; the call may have run");
  }
  if (!taken.topic.empty()) {
    // meshd may have it, or get it later: not for somebody who was told that it failed.
    record_.clear();
    records::encode(records::Subscription{handler.slot(), handler.serial(), taken.topic, 0, {}}, record_);
    if (handler.state() == ConsumerHandler::State::open)
      link_.write(records::Type::unsubscribe, next_sequence_++ & ReturnAddress::max_sequence, record_);
    return time_out(handler, taken.trace_id, "no answer in time; not subscribed");
  }
  time_out(handler, taken.trace_id, "no answer in time; it may have run");
}

void Edge::time_out(ConsumerHandler& handler, std::string_view trace_id, std::string_view description) {
  link_.count(shm::EdgeCounter::timeouts);
  count_outcome(RequestOutcome::timeout);
  conclude(handler, trace_id, "null", error_json(error_name::timeout, description));
}

void Edge::answer(ConsumerHandler& handler, std::string_view trace_id, std::string_view result,
                  std::string_view error) {
  encode_response(answer_, trace_id, result, error);
  handler.write_message(answer_);
}

}  // namespace nuropb::edge
