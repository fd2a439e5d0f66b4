// Who the sessions are: judging, refreshing and expiring identities, and what a reload means for those that are here.

#include <algorithm>
#include <boost/asio/post.hpp>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/ip_address.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

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

bool RingLoop::open_session(Attached& attached, const std::string& payload) {
  Worker& worker = attached.worker;
  const auto record = records::decode<records::OpenSession>(payload);
  Session* const session = record ? worker.sessions().find(record->session) : nullptr;
  if (!session || allowed(records::Type::open_session, session->state) != Verb::judge) {
    worker.violate(!record    ? "an open_session record can't be decoded"
                   : !session ? "more sessions than limits.connections"
                              : "a session is opened twice");
    return false;
  }
  if (session->state == SessionState::ended) worker.sessions().close(*session);
  session->state = SessionState::judging;
  session->serial = record->serial;
  session->id = record->session_id;
  const bool served = face(record->handler) != nullptr;
  session->handler = served ? record->handler : HandlerKind::web_socket;
  const WorkerId id = worker.id();
  const std::uint32_t slot = record->session, serial = record->serial;
  const auto answer = [this, id, slot, serial, address = std::string(record->peer)](Verdict verdict) {
    judged(id, slot, serial, address, std::move(verdict));
  };
  if (!served) {  // by an edge that was started with other settings: its other sockets are none the worse
    answer(Verdict::later("consumers of handler '" + std::string(name_of(record->handler)) + "' are not served"));
    return true;
  }
  if (record->kind == records::CredentialKind::none) {
    answer(takes_anonymous() && session->handler == HandlerKind::web_socket
               ? Verdict::accept(Identity{})
               : Verdict::refuse("no token, and anonymous consumers are not taken"));
    return true;
  }
  if (record->kind != records::CredentialKind::ticket) {
    authorizer_.judge({record->kind, std::string(record->credential), source_of(id), host_of(record->peer),
                       [this, id, slot, serial] {
                         Attached* const worker_now = find(id);
                         const Session* const waiting =
                             worker_now ? worker_now->worker.sessions().find(slot, serial) : nullptr;
                         return waiting && waiting->state == SessionState::judging;
                       },
                       record->valid_until},
                      answer);
    return true;
  }
  session->restored =
      config_.events.subscriptions_per_session + (snorky_ ? 4 * config_.snorky.channels_per_session : 0);
  auto identity = tickets_.open_session(id, record->session_id, record->credential);
  if (!identity) {
    answer(Verdict::refuse("not a ticket of ours for this session"));
    return true;
  }
  if (identity->user_id.empty() && !(takes_anonymous() && session->handler == HandlerKind::web_socket)) {
    answer(Verdict::refuse("anonymous consumers are not taken any more"));
    return true;
  }
  // What came to pass while there was no meshd: a restart neither prolongs a session nor brings back a revoked user.
  const bool expired =
      identity->expires != 0 &&
      (identity->ends_ms != 0 ? from_ring_ms(identity->ends_ms) <= clock_.now() : identity->expires <= unix_now());
  const bool revoked = !expired && !identity->user_id.empty() && !authorizer_.still_good(*identity);
  answer(Verdict::accept(std::move(*identity)));
  if (session->state != SessionState::open) return true;  // over a limit
  if (expired) close_session(attached, slot, *session, close_code::token_expired, "token expired");
  if (revoked) close_session(attached, slot, *session, close_code::revoked, "revoked");
  return true;
}

void RingLoop::judged(WorkerId worker_id, std::uint32_t slot, std::uint32_t serial, const std::string& address,
                      Verdict verdict) {
  Attached* const attached = find(worker_id);
  if (!attached) return;
  Worker& worker = attached->worker;
  Session* const session = worker.sessions().find(slot, serial);
  if (!session || session->state != SessionState::judging) return;  // its consumer left meanwhile
  worker.sessions().opened();
  if (verdict.accepted() && !admit_user(*attached, slot, *session, verdict.identity.user_id)) {
    refusal_log_.tell(RefusalLog::Kind::session, clock_.now(), session->id, address, {}, "limits.connections_per_user");
  } else if (verdict.accepted()) {
    session->state = SessionState::open;
    take_identity(*attached, slot, *session, std::move(verdict.identity));
    face(*session).sessions.add(worker_id, slot, *session);
  } else {
    const bool later = verdict.what == Verdict::What::unavailable;
    ++(later ? counts_.auth.unavailable : counts_.auth.refused);
    session->state = SessionState::ended;
    refusal_log_.tell(later ? RefusalLog::Kind::unavailable : RefusalLog::Kind::session, clock_.now(), session->id,
                      address, {}, verdict.reason);
    std::string payload;
    records::encode(
        records::SessionRefused{slot, serial, later ? close_code::mesh_unavailable : close_code::token_refused,
                                later ? try_again : "token refused"},
        payload);
    worker.send(records::Type::session_refused, 0, std::move(payload));
  }
  touch(*attached);
  schedule_turn();
}

/// The first, or a fresh one of the same user: all that follows from it, and the ticket with which the edge can bring it back.
void RingLoop::take_identity(Attached& attached, std::uint32_t slot, Session& session, Identity identity) {
  const WorkerId worker = attached.worker.id();
  const Moment now = Moment::now();
  if (identity.expires != 0 && identity.ends_ms == 0) identity.ends_ms = to_ring_ms(steady_end(identity.expires, now));
  session.identity = StoredIdentity(identity);
  session.policy = policy_of(identity);
  reconsider_topics(&attached, worker, slot, session);
  const Expiries::Key key{worker, slot, session.serial};
  if (identity.expires == 0) expiries_.remove(key);
  else expiries_.set(key, config_.auth.expiry_warning_s, {identity.expires, from_ring_ms(identity.ends_ms)}, now);
  const std::string username = identity.username.empty() ? "null" : json::quoted(identity.username);
  const std::string ticket = tickets_.seal_session(worker, session.id, identity);
  std::string payload;
  const std::string resume = config_.resume.enabled && !session.mailbox && !identity.user_id.empty()
                                 ? tickets_.seal_resume({session.id, 0})
                                 : "";
  records::encode(records::SessionAccepted{slot, session.serial, identity.user_id, username, ticket, resume}, payload);
  attached.worker.send(records::Type::session_accepted, 0, std::move(payload));
  touch(attached);
}

void RingLoop::authorize(const records::Authorize& record, Session& session, const ReturnAddress& from) {
  if (session.authorizing)
    return deliver(refusal(from, error_name::transport, "another authorize of this socket is being judged"), {});
  session.authorizing = true;
  authorizer_.judge(
      {records::CredentialKind::message, std::string(record.token), source_of({from.slot, from.generation}),
       "user " + std::string(session.identity.user_id()),
       [this, from, serial = session.serial] {
         Attached* const attached = find({from.slot, from.generation});
         return attached && attached->worker.sessions().find(from.session, serial);
       }},
      [this, from, serial = session.serial](Verdict verdict) { judged_again(from, serial, std::move(verdict)); });
}

void RingLoop::judged_again(const ReturnAddress& from, std::uint32_t serial, Verdict verdict) {
  Attached* const attached = find({from.slot, from.generation});
  Session* const session = attached ? attached->worker.sessions().find(from.session, serial) : nullptr;
  if (!session || session->state != SessionState::open) return;
  session->authorizing = false;
  if (verdict.accepted() && verdict.identity.user_id == session->identity.user_id()) {
    take_identity(*attached, from.session, *session, std::move(verdict.identity));
    deliver(done(from, "{\"user_id\":" + json::quoted(session->identity.user_id()) +
                           ",\"expires_at\":" + expiry_text(session->identity.expires()) + "}"),
            {});
  } else if (verdict.accepted()) {
    ++counts_.auth.other_user;
    refusal_log_.tell(RefusalLog::Kind::authorize, clock_.now(), session->id, {}, session->identity.user_id(),
                      "the token is another user's");
    deliver(refusal(from, error_name::authorization, "the token is another user's; the session goes on as it was"), {});
  } else {
    const bool later = verdict.what == Verdict::What::unavailable;
    ++(later ? counts_.auth.unavailable : counts_.auth.refused);
    refusal_log_.tell(RefusalLog::Kind::authorize, clock_.now(), session->id, {}, session->identity.user_id(),
                      verdict.reason);
    deliver(refusal(from, later ? error_name::transport : error_name::authentication,
                    later ? try_again : "token refused; the session goes on as it was"),
            {});
  }
  schedule_turn();
}

void RingLoop::reconsider_topics(Attached* attached, WorkerId worker, std::uint32_t slot, Session& session) {
  const auto topics = session.topics.copy();
  for (const std::string& topic : topics) {
    if (session.policy.allows_topic(Use::subscribe, topic)) continue;
    const auto removed = face(session).subscriptions.remove(topic, holder(worker, slot, session));
    if (removed.last) release(face(session), topic);
    for (const ReturnAddress& asker : removed.waiting)
      deliver(refusal(asker, error_name::authorization, may_not_subscribe), {});
    end_subscription(attached, slot, session, topic, error_name::authorization, may_not_subscribe);
  }
}

void RingLoop::end_session(Attached& attached, std::uint32_t slot, Session& session, std::uint16_t code,
                           std::string_view reason) {
  const std::uint32_t serial = session.serial;
  if (park_if_kept(attached.worker.id(), attached.worker.sessions(), slot, code))
    return send_away(attached, slot, serial, code, reason);
  forget_session(attached.worker.id(), slot, session);
  session.state = SessionState::ended;
  session.mailbox.reset();
  session.place = {};
  session.go();  // what it asked for and was not sent yet is not sent any more
  std::string payload;
  records::encode(records::EndSession{slot, session.serial, code, reason}, payload);
  attached.worker.send(records::Type::end_session, 0, std::move(payload));
  touch(attached);
}

/// The same on our own account, said in the log: nobody can cause it as often as they like.
void RingLoop::close_session(Attached& attached, std::uint32_t slot, Session& session, std::uint16_t code,
                             std::string_view reason) {
  if (code == close_code::token_expired) ++counts_.auth.expired;
  if (code == close_code::revoked) ++counts_.auth.revoked;
  log::info("session ended", {{"session", session.id.hex()}, {"code", code}, {"reason", reason}});
  end_session(attached, slot, session, code, reason);
}

/// What others keep of it.
void RingLoop::forget_session(WorkerId worker, std::uint32_t slot, Session& session) {
  face(session).sessions.remove(session);
  forget_subscriptions(worker, slot, session);
  expiries_.remove({worker, slot, session.serial});
}

void RingLoop::look_at_expiries() {
  const Moment now = Moment::now();
  if (const std::int64_t by = clock_steps_.look(now); by != 0) {
    log::warning("the wall clock was set, or the machine was suspended",
                 {{"by_ms", by}, {"hint", "sessions end by the monotonic clock; docs/tasks/authorization.md"}});
    expiries_.stepped(now);
  }
  const auto due = expiries_.due(now.steady);
  for (const Expiries::Due& one : due) {
    Attached* const attached = find(one.key.worker);
    Session* const session = attached ? attached->worker.sessions().find(one.key.slot, one.key.serial) : nullptr;
    if (!session || session->state != SessionState::open) continue;
    if (one.over) {
      close_session(*attached, one.key.slot, *session, close_code::token_expired, "token expired");
      continue;
    }
    const std::string text = R"({"type":"event","payload":{"topic":"session_expiring","event":{"session_id":")" +
                             session->id.hex() + R"(","expires_at":)" + expiry_text(session->identity.expires()) +
                             ",\"expires_in\":" + std::to_string(one.left_s) + "}}}";
    if (session->mailbox) {
      say(*session->mailbox, text);
      continue;
    }
    std::string payload;
    records::encode(records::SessionNotice{one.key.slot, one.key.serial, text}, payload);
    attached->worker.send(records::Type::session_notice, 0, std::move(payload));
    touch(*attached);
  }
  if (!due.empty()) schedule_turn();
}

bool RingLoop::ask_mesh(mesh::Outgoing&& question, const std::string& method) {
  if (broker_ != mesh::State::ready) return false;
  if (web().encryption) web().encryption->add(std::move(question), method, clock_.now());
  else web().outgoing.push_back(std::move(question));
  // At the end of what goes on now: it may be the reading of a ring.
  boost::asio::post(io_, [this] {
    send_encrypted(web());
    schedule_turn();
  });
  return true;
}

std::string RingLoop::reload() {
  log::reopen();
  std::string wrong;
  const auto note = [&wrong](const Error& error) {
    wrong += (wrong.empty() ? "" : "; ") + error.text();
    return error.text();
  };
  if (const auto done = authorizer_.reload(); done) log::info("tokens reloaded");
  else log::error("tokens not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  if (snorky_ && snorky_->has_keys()) {
    if (const auto done = snorky_->reload(); done) log::info("backend keys reloaded");
    else log::error("backend keys not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  }
  if (peer_keys_) {
    if (const auto done = peer_keys_->reload(); done)
      log::info("keys of gateways reloaded", {{"keys", peer_keys_->size()}});
    else log::error("keys of gateways not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  }
  if (!config_.auth.policy_file.empty()) {
    if (auto fresh = Policy::load(config_.auth.policy_file)) {
      policy_ = std::move(*fresh);
      log::info("policy reloaded", {{"rules", policy_.size()}});
    } else {
      log::error("policy not reloaded, the former one stays in force", {{"reason", note(fresh.error())}});
    }
  }
  each_session([&](Attached* attached, WorkerId worker, std::uint32_t slot, Session& session) {
    if (session.state != SessionState::open) return;
    const Identity identity = session.identity.unpack();
    if (!identity.user_id.empty() && !authorizer_.still_good(identity)) {
      if (attached) close_session(*attached, slot, session, close_code::revoked, "revoked");
      else drop_parked(*session.mailbox, "ended");
      return;
    }
    session.policy = policy_of(identity);
    reconsider_topics(attached, worker, slot, session);
  });
  flush_touched();
  return wrong;
}

}  // namespace nuropb::meshd
