#include "meshd/sessions/session_manager.hpp"

#include <utility>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/ip_address.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view try_again = "the token can't be judged now: try again";

std::uint64_t source_of(WorkerId worker) { return (std::uint64_t{worker.slot} << 32) | worker.generation; }

/// What counts as one client: an address, or an IPv6 /64.
std::string host_of(std::string_view peer) {
  const auto address = IpAddress::parse(host_in_peer(peer));
  return address ? address->host().text() : std::string();
}

std::string expiry_text(std::int64_t expires) { return expires == 0 ? "null" : std::to_string(expires); }

}  // namespace

SessionManager::SessionManager(Parts parts)
    : config_(parts.config),
      clock_(parts.clock),
      workers_(parts.workers),
      faces_(parts.faces),
      sessions_(parts.sessions),
      quotas_(parts.quotas),
      subscriptions_(parts.subscriptions),
      sender_(parts.sender),
      keeper_(parts.keeper),
      responses_(parts.responses),
      authorizer_(parts.authorizer),
      tickets_(parts.tickets),
      policy_(std::move(parts.policy)),
      snorky_(parts.snorky),
      on_socket_gone_(std::move(parts.on_socket_gone)) {}

void SessionManager::open(Worker& worker, const records::OpenSession& record, Session& session) {
  if (session.state == SessionState::ended) worker.sessions().close(session);
  session.state = SessionState::judging;
  session.serial = record.serial;
  session.id = record.session_id;
  const bool served = faces_.find(record.handler) != nullptr;
  session.handler = served ? record.handler : HandlerKind::web_socket;
  const WorkerId id = worker.id();
  const std::uint32_t slot = record.session, serial = record.serial;
  const auto answer = [this, id, slot, serial, address = std::string(record.peer)](Verdict verdict) {
    authenticated(id, slot, serial, address, std::move(verdict));
  };
  // An edge that was started with other settings: its other sockets are none the worse.
  if (!served)
    return answer(Verdict::later("consumers of handler '" + std::string(name_of(record.handler)) + "' are not served"));
  if (record.kind == records::CredentialKind::none) {
    return answer(takes_anonymous(session) ? Verdict::accept(Identity{})
                                           : Verdict::refuse("no token, and anonymous consumers are not taken"));
  }
  if (record.kind == records::CredentialKind::ticket) return open_by_ticket(worker, record, session, answer);
  authorizer_.judge({record.kind, std::string(record.credential), source_of(id), host_of(record.peer),
                     [this, id, slot, serial] {
                       const Session* const waiting = sessions_.find(id, slot, serial);
                       return waiting && waiting->state == SessionState::judging;
                     },
                     record.valid_until},
                    answer);
}

/// A session that its edge brings back after a restart of meshd.
void SessionManager::open_by_ticket(Worker& worker, const records::OpenSession& record, Session& session,
                                    const std::function<void(Verdict)>& answer) {
  session.restored = config_.events.subscriptions_per_session + (snorky_ ? 4 * config_.snorky.channels_per_session : 0);
  auto identity = tickets_.open_session(worker.id(), record.session_id, record.credential);
  if (!identity) return answer(Verdict::refuse("not a ticket of ours for this session"));
  if (identity->user_id.empty() && !takes_anonymous(session))
    return answer(Verdict::refuse("anonymous consumers are not taken any more"));
  // What came to pass while there was no meshd: a restart neither prolongs a session nor brings back a revoked user.
  const bool expired =
      identity->expires != 0 &&
      (identity->ends_ms != 0 ? from_ring_ms(identity->ends_ms) <= clock_.now() : identity->expires <= unix_now());
  const bool revoked = !expired && !identity->user_id.empty() && !authorizer_.still_good(*identity);
  answer(Verdict::accept(std::move(*identity)));
  if (session.state != SessionState::open) return;  // over a limit
  if (expired) close(worker, record.session, session, close_code::token_expired, "token expired");
  if (revoked) close(worker, record.session, session, close_code::revoked, "revoked");
}

void SessionManager::authenticated(WorkerId id, std::uint32_t slot, std::uint32_t serial, const std::string& address,
                                   Verdict verdict) {
  Worker* const worker = workers_.find(id);
  if (!worker) return;
  Session* const session = worker->sessions().find(slot, serial);
  if (!session || session->state != SessionState::judging) return;  // its client left meanwhile
  worker->sessions().opened();
  if (verdict.accepted() && !quotas_.admit(*session, verdict.identity.user_id)) {
    refuse(*worker, slot, *session, close_code::too_many_connections, "too many connections of this user");
    refusal_log_.tell(RefusalLog::Kind::session, clock_.now(), session->id, address, {}, "limits.connections_per_user");
  } else if (verdict.accepted()) {
    session->state = SessionState::open;
    take_identity(*worker, slot, *session, std::move(verdict.identity));
    faces_.of(*session).sessions.add(id, slot, *session);
  } else {
    const bool later = verdict.what == Verdict::What::unavailable;
    ++(later ? failures_.unavailable : failures_.refused);
    refusal_log_.tell(later ? RefusalLog::Kind::unavailable : RefusalLog::Kind::session, clock_.now(), session->id,
                      address, {}, verdict.reason);
    refuse(*worker, slot, *session, later ? close_code::mesh_unavailable : close_code::token_refused,
           later ? try_again : "token refused");
  }
  workers_.touch(*worker);
  workers_.schedule_turn();
}

void SessionManager::refuse(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code,
                            std::string_view reason) {
  session.state = SessionState::ended;
  std::string payload;
  records::encode(records::SessionRefused{slot, session.serial, code, reason}, payload);
  worker.send(records::Type::session_refused, 0, std::move(payload));
}

void SessionManager::take_identity(Worker& worker, std::uint32_t slot, Session& session, Identity identity) {
  const Moment now = Moment::now();
  if (identity.expires != 0 && identity.ends_ms == 0) identity.ends_ms = to_ring_ms(steady_end(identity.expires, now));
  session.identity = StoredIdentity(identity);
  session.policy = policy_of(identity);
  subscriptions_.reconsider(&worker, worker.id(), slot, session);
  const Expiries::Key key{worker.id(), slot, session.serial};
  if (identity.expires == 0) expiries_.remove(key);
  else expiries_.set(key, config_.auth.expiry_warning_s, {identity.expires, from_ring_ms(identity.ends_ms)}, now);
  const std::string username = identity.username.empty() ? "null" : json::quoted(identity.username);
  const std::string ticket = tickets_.seal_session(worker.id(), session.id, identity);
  std::string payload;
  const std::string resume = config_.resume.enabled && !session.mailbox && !identity.user_id.empty()
                                 ? tickets_.seal_resume({session.id, 0})
                                 : "";
  records::encode(records::SessionAccepted{slot, session.serial, identity.user_id, username, ticket, resume}, payload);
  worker.send(records::Type::session_accepted, 0, std::move(payload));
  workers_.touch(worker);
}

void SessionManager::authorize(const records::Authorize& record, Session& session, const ReturnAddress& from) {
  if (session.authorizing)
    return responses_.respond(refusal(from, error_name::transport, "another authorize of this socket is being judged"));
  session.authorizing = true;
  authorizer_.judge(
      {records::CredentialKind::message, std::string(record.token), source_of({from.slot, from.generation}),
       "user " + std::string(session.identity.user_id()),
       [this, from, serial = session.serial] {
         return sessions_.find({from.slot, from.generation}, from.session, serial) != nullptr;
       }},
      [this, from, serial = session.serial](Verdict verdict) { reauthenticated(from, serial, std::move(verdict)); });
}

void SessionManager::reauthenticated(const ReturnAddress& from, std::uint32_t serial, Verdict verdict) {
  Worker* const worker = workers_.find({from.slot, from.generation});
  Session* const session = worker ? worker->sessions().find(from.session, serial) : nullptr;
  if (!session || session->state != SessionState::open) return;
  session->authorizing = false;
  if (verdict.accepted() && verdict.identity.user_id == session->identity.user_id()) {
    take_identity(*worker, from.session, *session, std::move(verdict.identity));
    responses_.respond(done(from, "{\"user_id\":" + json::quoted(session->identity.user_id()) +
                                      ",\"expires_at\":" + expiry_text(session->identity.expires()) + "}"));
  } else if (verdict.accepted()) {
    ++failures_.other_user;
    refusal_log_.tell(RefusalLog::Kind::authorize, clock_.now(), session->id, {}, session->identity.user_id(),
                      "the token is another user's");
    responses_.respond(
        refusal(from, error_name::authorization, "the token is another user's; the session goes on as it was"));
  } else {
    const bool later = verdict.what == Verdict::What::unavailable;
    ++(later ? failures_.unavailable : failures_.refused);
    refusal_log_.tell(RefusalLog::Kind::authorize, clock_.now(), session->id, {}, session->identity.user_id(),
                      verdict.reason);
    responses_.respond(refusal(from, later ? error_name::transport : error_name::authentication,
                               later ? try_again : "token refused; the session goes on as it was"));
  }
  workers_.schedule_turn();
}

void SessionManager::end_over_rates(Worker& worker, std::uint32_t slot, Session& session,
                                    const UserQuotas::Over& over) {
  if (over.end_session) end(worker, slot, session, close_code::rate_exceeded, "over " + over.limit + " for too long");
}

void SessionManager::closed(Worker& worker, const records::CloseSession& record, Session& session) {
  if (keeper_.keep(worker.id(), worker.sessions(), record.session,
                   record.lost ? close_code::going_away : std::uint16_t{1000}))
    return;
  forget(worker.id(), record.session, session);
  worker.sessions().close(session);
}

void SessionManager::worker_gone(Worker& worker) {
  worker.sessions().each([&](std::uint32_t slot, Session& session) {
    if (keeper_.keep(worker.id(), worker.sessions(), slot, close_code::going_away)) return;
    forget(worker.id(), slot, session);
    worker.sessions().close(session);
  });
}

void SessionManager::end(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code,
                         std::string_view reason) {
  const std::uint32_t serial = session.serial;
  if (keeper_.keep(worker.id(), worker.sessions(), slot, code)) return send_away(worker, slot, serial, code, reason);
  forget(worker.id(), slot, session);
  session.state = SessionState::ended;
  session.mailbox.reset();
  session.place = {};
  session.go();  // what it asked for and was not sent yet is not sent any more
  std::string payload;
  records::encode(records::EndSession{slot, session.serial, code, reason}, payload);
  worker.send(records::Type::end_session, 0, std::move(payload));
  workers_.touch(worker);
}

void SessionManager::close(Worker& worker, std::uint32_t slot, Session& session, std::uint16_t code,
                           std::string_view reason) {
  if (code == close_code::token_expired) ++failures_.expired;
  if (code == close_code::revoked) ++failures_.revoked;
  log::info("session ended", {{"session", session.id.hex()}, {"code", code}, {"reason", reason}});
  end(worker, slot, session, code, reason);
}

void SessionManager::forget(WorkerId worker, std::uint32_t slot, Session& session) {
  faces_.of(session).sessions.remove(session);
  subscriptions_.forget_all(worker, slot, session);
  socket_gone(worker, slot, session.serial);
}

void SessionManager::socket_gone(WorkerId worker, std::uint32_t slot, std::uint32_t serial) {
  expiries_.remove({worker, slot, serial});
  on_socket_gone_(worker, slot, serial);
}

void SessionManager::send_away(Worker& worker, std::uint32_t slot, std::uint32_t serial, std::uint16_t code,
                               std::string_view reason) {
  auto rest = std::make_unique<Session>();
  rest->state = SessionState::ended;
  rest->serial = serial;
  worker.sessions().adopt(slot, std::move(rest));
  std::string payload;
  records::encode(records::EndSession{slot, serial, code, reason}, payload);
  workers_.send(worker.id(), records::Type::end_session, 0, std::move(payload));
}

void SessionManager::check_expiries() {
  const Moment now = Moment::now();
  if (const std::int64_t by = clock_steps_.look(now); by != 0) {
    log::warning("the wall clock was set, or the machine was suspended",
                 {{"by_ms", by}, {"hint", "sessions end by the monotonic clock; docs/tasks/authorization.md"}});
    expiries_.stepped(now);
  }
  const auto due = expiries_.due(now.steady);
  for (const Expiries::Due& one : due) {
    Worker* const worker = workers_.find(one.key.worker);
    Session* const session = worker ? worker->sessions().find(one.key.slot, one.key.serial) : nullptr;
    if (!session || session->state != SessionState::open) continue;
    if (one.over) {
      close(*worker, one.key.slot, *session, close_code::token_expired, "token expired");
      continue;
    }
    sender_.notify(*worker, one.key.slot, *session,
                   R"({"type":"event","payload":{"topic":"session_expiring","event":{"session_id":")" +
                       session->id.hex() + R"(","expires_at":)" + expiry_text(session->identity.expires()) +
                       ",\"expires_in\":" + std::to_string(one.left_s) + "}}}");
  }
  if (!due.empty()) workers_.schedule_turn();
}

void SessionManager::reconsider_all() {
  sessions_.each([&](Worker* attached, WorkerId worker, std::uint32_t slot, Session& session) {
    if (session.state != SessionState::open) return;
    const Identity identity = session.identity.unpack();
    if (!identity.user_id.empty() && !authorizer_.still_good(identity)) {
      if (attached) close(*attached, slot, session, close_code::revoked, "revoked");
      else keeper_.drop(session, "ended");
      return;
    }
    session.policy = policy_of(identity);
    subscriptions_.reconsider(attached, worker, slot, session);
  });
}

/// A client without a token may call Snorky's services, and nothing else.
bool SessionManager::takes_anonymous(const Session& session) const {
  return snorky_ && !config_.snorky.path.empty() && config_.snorky.anonymous &&
         session.handler == HandlerKind::web_socket;
}

Policy::Session SessionManager::policy_of(const Identity& identity) const {
  return identity.user_id.empty() ? Policy::Session() : policy_.for_identity(identity);
}

}  // namespace nuropb::meshd
