// The ring loop's part in numbered messages: sessions that ask for them, that lose their socket, and that are taken up.
//
//            keep                 socket lost, edge dead or drained              resume, from any edge
//   open ──────────► numbered ──────────────────────────────────────► parked ─────────────────────────► numbered
//                       │ ▲ take-over: its old socket gets 4503          │ window over, too many, end for cause
//                       └─┘                                              ▼ (gone)

#include <algorithm>

#include "common/close_codes.hpp"
#include "common/consumer_messages.hpp"
#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto resume_tick = milliseconds(10);      // how exact deadlines are
constexpr std::uint64_t most_numbers = 1ULL << 53;  // they travel in JSON
constexpr std::size_t most_remembered = 4096;       // sessions that ended, for the reason that is told

std::string failed(std::string_view reason, std::string_view description) {
  return R"({"error":")" + std::string(error_name::resume_failed) + R"(","description":)" + json::quoted(description) +
         R"(,"reason":")" + std::string(reason) + "\"}";
}

}  // namespace

/// Under what a session's subscriptions are held.
ReturnAddress RingLoop::holder(WorkerId worker, std::uint32_t slot, const Session& session) {
  return session.mailbox ? address(numbered_worker, session.mailbox->id(), session) : address(worker, slot, session);
}

bool RingLoop::resume_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  using What = records::Resume::What;
  Worker& worker = attached.worker;
  const auto impossible = [&](const char* why) {
    worker.violate("record type " + std::to_string(header.type) + ": " + why);
    return false;
  };
  worker.settle(worker.begin_work());
  const auto record = records::decode<records::Resume>(payload);
  if (!record || header.sequence > ReturnAddress::max_sequence) return impossible("can't be decoded");
  Session* const session = worker.sessions().find(record->session, record->serial);
  if (!session) return impossible("of a session that is not open");
  switch (allowed(records::Type::resume, session->state)) {
    case Verb::resume: break;
    case Verb::ignore: return true;
    default: return impossible("not allowed in this state of the session");
  }
  if (!record->trace_id.empty() && json::validate(record->trace_id, nullptr, {config_.limits.json_depth}))
    return impossible("its trace_id is not JSON");
  const ReturnAddress from = face(*session).address(worker.id(), record->session, header.sequence);
  switch (record->what) {
    case What::keep:
    case What::resume:
      if (mailboxes_.find(from).box) return impossible("its sequence is in use");
      if (const auto why = over_user_rates(attached, record->session, *session, header.length, false)) {
        deliver(refusal(from, error_name::transport, *why), {});
      } else if (session->state == SessionState::open) {
        if (record->what == What::keep) keep_messages(attached, *record, *session, from);
        else take_up(attached, *record, *session, from);
      }
      return true;
    case What::seen:
      if (session->mailbox) mailboxes_.seen(*session->mailbox, std::min(record->number, session->mailbox->handed));
      return true;
    case What::again: {
      if (session->mailbox) return true;
      if (record->number > most_numbers) return impossible("nobody had so many messages");
      const auto token = tickets_.open_resume(record->token);
      if (!config_.resume.enabled || !token || token->session != session->id) {
        close_session(attached, record->session, *session, close_code::mesh_unavailable,
                      "its messages can't be numbered any more");
        return true;
      }
      number_messages(worker.id(), record->session, *session, record->number);
      session->mailbox->token = session->mailbox->proven = token->count;
      session->mailbox->resumed_from = record->number;
      return true;
    }
    case What::pending:
      // It was published by our predecessor; its answer finds its way by its address.
      if (session->mailbox && !mailboxes_.find(from).box) {
        (void)mailboxes_.wait(*session->mailbox, {from,
                                                  session->serial,
                                                  records::Type::request,
                                                  std::string(record->trace_id),
                                                  {},
                                                  deadline_of(record->deadline_ms)});
        arm_resume_timer();
      }
      return true;
    case What::say:
      if (!session->mailbox || !record->text.starts_with('{') ||
          json::validate(record->text, nullptr, {config_.limits.json_depth + 8U}))
        return impossible("it has nothing to say");
      // It may be another edge that is given it.
      if (record->text.size() > config_.limits.message_bytes + records::max_framing)
        return impossible("it says more than a message can have");
      if (record->number > ReturnAddress::max_sequence + 1) return impossible("its sequence has more than 40 bits");
      say_answer(worker.id(), *record, *session);
      return true;
  }
  return impossible("it says nothing");
}

SteadyTime RingLoop::deadline_of(std::uint64_t ring_ms) const {
  return std::min(from_ring_ms(ring_ms), clock_.now() + request_settings_.max_ttl);
}

/// From now on; `last` is the number that the consumer was given last.
void RingLoop::number_messages(WorkerId worker, std::uint32_t slot, Session& session, std::uint64_t last) {
  // What it is subscribed to already, its edge has done for it until now.
  const ReturnAddress before = holder(worker, slot, session);
  session.mailbox = std::make_unique<Mailbox>(mailboxes_, session, last);
  mailboxes_.move(*session.mailbox, Mailbox::Place{worker, slot});
  session.mailbox->inherited_from = last;
  for (const std::string& topic : session.topics) {
    face(session).subscriptions.move(topic, before, holder(worker, slot, session));
    mailboxes_.add_topic(*session.mailbox, topic);
  }
}

void RingLoop::keep_messages(Attached& attached, const records::Resume& record, Session& session,
                             const ReturnAddress& from) {
  if (!config_.resume.enabled)
    return deliver(answer_of(from, "null", failed("off", "this gateway keeps no messages (resume.enabled)")), {});
  const bool first = !session.mailbox;
  if (first) number_messages(attached.worker.id(), record.session, session, 0);
  Mailbox& box = *session.mailbox;
  const std::string token = tickets_.seal_resume({session.id, box.token});
  if (first) {
    std::string payload;
    records::encode(
        records::Resumed{records::Resumed::What::kept, record.session, session.serial, 0, session.id, token, {}},
        payload);
    send_to_worker(attached.worker.id(), records::Type::resumed, 0, std::move(payload));
  }
  if (!wait_for_answer(session, records::Type::resume, from, record.trace_id, deadline_of(record.deadline_ms), {}))
    return;
  deliver(done(from, R"({"session_id":")" + session.id.hex() + R"(","resume":)" + resume_json(token) + "}"), {});
}

std::string RingLoop::resume_json(std::string_view token) const {
  return R"({"token":")" + std::string(token) + R"(","window_ms":)" + std::to_string(config_.resume.window_ms) + "}";
}

/// Out of its edge's hands, until its consumer comes back.
void RingLoop::park(WorkerId worker, SessionTable& table, std::uint32_t slot) {
  auto session = table.release(slot);
  expiries_.remove({worker, slot, session->serial});
  if (snorky_)
    snorky_->on_session_closed({worker, slot, session->serial});  // what it may have there is not for another socket
  session->place = {};                                            // who has no socket has no connection
  session->authorizing = false;
  std::uint32_t to = parked_slots_;
  if (free_parked_.empty()) {
    ++parked_slots_;
  } else {
    to = free_parked_.back();
    free_parked_.pop_back();
  }
  session->indexed.worker = numbered_worker;
  session->indexed.slot = to;
  Mailbox& box = *session->mailbox;
  mailboxes_.move(box, {});
  box.parked_until = clock_.now() + milliseconds(config_.resume.window_ms);
  parking_.add(box.id(), session->identity.user_id(), box.parked_until);
  parked_.adopt(to, std::move(session));
  ++resumes_.parked;
  if (parked_.open() > config_.resume.sessions) {
    if (const auto id = parking_.gives_way()) drop_parked(*mailboxes_.find(*id), "too_many");
  }
  arm_resume_timer();
}

std::unique_ptr<Session> RingLoop::unpark(Mailbox& box) {
  const std::uint32_t slot = box.owner().indexed.slot;
  parking_.remove(box.id());
  free_parked_.push_back(slot);
  return parked_.release(slot);
}

void RingLoop::remember_ended(const Session& session, std::string_view reason) {
  if (!session.mailbox) return;
  if (!ended_.emplace(session.id, reason).second) return;
  ended_order_.push_back(session.id);
  if (ended_order_.size() <= most_remembered) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void RingLoop::drop_parked(Mailbox& box, std::string_view reason) {
  const auto gone = unpark(box);
  remember_ended(*gone, reason);
  forget_session(numbered_worker, 0, *gone);
  gone->go();
  ++resumes_.ended;
}

/// A session whose socket is gone, or is told to go. True if it waits for its consumer now; its slot is empty then.
bool RingLoop::park_if_kept(WorkerId worker, SessionTable& table, std::uint32_t slot, std::uint16_t code) {
  Session* const session = table.find(slot);
  if (!session || !session->mailbox || session->state != SessionState::open) return false;
  if (!may_come_back(code)) {
    remember_ended(*session, "ended");
    return false;
  }
  park(worker, table, slot);
  return true;
}

void RingLoop::take_up(Attached& attached, const records::Resume& record, Session& fresh, const ReturnAddress& from) {
  const auto fail = [&](std::string_view reason, std::string_view description) {
    ++resumes_.failed;
    refusal_log_.tell(RefusalLog::Kind::resume, clock_.now(), fresh.id, {}, fresh.identity.user_id(), reason);
    deliver(answer_of(from, "null", failed(reason, "resume failed: " + std::string(description))), {});
  };
  if (!config_.resume.enabled) return fail("off", "this gateway keeps no messages (resume.enabled)");
  if (fresh.mailbox) return fail("not_new", "this socket has a session whose messages are kept already");
  const auto token = tickets_.open_resume(record.token);
  if (!token) return fail("unknown", "this gateway has given no such token");
  Session* const found = face(fresh).sessions.find(token->session);  // of its own kind
  if (!found || !found->mailbox || found->state != SessionState::open) {
    const auto ended = ended_.find(token->session);
    if (ended == ended_.end()) return fail("unknown", "nothing is kept for this session");
    if (ended->second == "expired") return fail("expired", "the session waited for resume.window_ms");
    if (ended->second == "too_many") return fail("too_many", "more sessions waited than resume.sessions");
    return fail("ended", "the session was ended");
  }
  Mailbox& box = *found->mailbox;
  if (found->identity.user_id() != fresh.identity.user_id()) return fail("other_user", "the token is another user's");
  if (token->count > box.token || token->count < box.proven)
    return fail("used", "the token has been used; the one that counts came with the answer");
  if (token->count < box.token) {
    // Its consumer may have lost the socket before it had the new token; then it has seen nothing since.
    if (box.place()) return fail("in_use", "another socket has used this token and is open");
    if (record.number != box.resumed_from)
      return fail("used", "the token has been used; the one that counts came with the answer");
  }
  if (!box.place() && box.parked_until <= clock_.now()) {
    drop_parked(box, "expired");
    return fail("expired", "the session waited for resume.window_ms");
  }
  if (record.number > box.last()) return fail("bad_seq", "the session has had no message of this seq");
  if (record.number < box.gone())
    return fail("missed_too_much", "more was missed than resume.mailbox_bytes or resume.total_bytes keep");

  const WorkerId worker = attached.worker.id();
  std::unique_ptr<Session> session;
  if (box.place()) {
    const Mailbox::Place old = *box.place();
    Attached* const other = find(old.worker);
    expiries_.remove({old.worker, old.slot, found->serial});
    if (snorky_) snorky_->on_session_closed({old.worker, old.slot, found->serial});
    session = other->worker.sessions().release(old.slot);
    send_away(*other, old.slot, found->serial, close_code::resumed_elsewhere, "taken up by another socket");
  } else {
    session = unpark(box);
  }
  Identity identity = fresh.identity.unpack();
  forget_session(worker, record.session, fresh);
  session->place = std::move(fresh.place);
  session->serial = fresh.serial;
  session->restored = 0;
  session->authorizing = false;
  session->indexed.worker = worker;
  session->indexed.slot = record.session;
  Session& taken = attached.worker.sessions().adopt(record.session, std::move(session));
  mailboxes_.move(box, Mailbox::Place{worker, record.session});
  box.proven = token->count;
  ++box.token;
  box.resumed_from = record.number;
  mailboxes_.seen(box, record.number);
  box.handed = record.number;
  box.inherited_from = box.last();
  ++resumes_.resumed;
  log::info("session resumed", {{"session", taken.id.hex()}, {"missed", box.last() - record.number}});
  tell_resumed(attached, taken, from.sequence);
  take_identity(attached, record.session, taken, identity);
  hand_over(box);
}

/// The socket of a session that has left its slot is told to go; what its edge says of it until it has is passed over.
void RingLoop::send_away(Attached& attached, std::uint32_t slot, std::uint32_t serial, std::uint16_t code,
                         std::string_view reason) {
  auto rest = std::make_unique<Session>();
  rest->state = SessionState::ended;
  rest->serial = serial;
  attached.worker.sessions().adopt(slot, std::move(rest));
  std::string payload;
  records::encode(records::EndSession{slot, serial, code, reason}, payload);
  send_to_worker(attached.worker.id(), records::Type::end_session, 0, std::move(payload));
}

void RingLoop::tell_resumed(Attached& attached, const Session& session, std::uint64_t sequence) {
  const Mailbox& box = *session.mailbox;
  const std::uint32_t slot = box.place()->slot;
  const std::string token = tickets_.seal_resume({session.id, box.token});
  std::string text = R"({"type":"event","payload":{"topic":"resumed","event":{"session_id":")" + session.id.hex() +
                     R"(","seq":)" + std::to_string(box.last()) + R"(,"resume":)" + resume_json(token) +
                     R"(,"pending":[)";
  const auto send = [&](const records::Resumed& record, std::uint64_t number) {
    std::string payload;
    records::encode(record, payload);
    send_to_worker(attached.worker.id(), records::Type::resumed, number, std::move(payload));
  };
  for (const auto& [number, pending] : box.pending()) {
    if (pending.trace_id.empty()) continue;
    if (text.back() != '[') text += ',';
    text += pending.trace_id;
  }
  text += "]}}}";
  send({records::Resumed::What::resumed, slot, session.serial, box.handed, session.id, token, text}, sequence);
  for (const std::string& topic : session.topics)
    send({records::Resumed::What::topic, slot, session.serial, 0, session.id, {}, topic}, 0);
  for (const auto& [number, pending] : box.pending()) {
    if (!pending.trace_id.empty())
      send({records::Resumed::What::pending, slot, session.serial, 0, session.id, {}, pending.trace_id}, number);
  }
}

void RingLoop::arm_resume_timer() {
  const SteadyTime next = std::min(mailboxes_.next_deadline(), parking_.next());
  if (next == SteadyTime::max() || resume_timer_at_ <= next) return;
  resume_timer_at_ = std::max(next, clock_.now() + resume_tick);
  resume_timer_.at(resume_timer_at_, [this] {
    resume_timer_at_ = SteadyTime::max();
    look_at_mailboxes();
    arm_resume_timer();
  });
}

void RingLoop::look_at_mailboxes() {
  const SteadyTime now = clock_.now();
  while (const auto due = mailboxes_.due(now)) {
    const Mailbox::Pending& pending = due->box->pending().at(due->pending);
    Session& session = due->box->owner();
    std::string_view what = "no answer in time; it may have run";
    if (pending.verb == records::Type::subscribe) {
      what = "no answer in time; not subscribed";
      drop_topic(*due->box, session, std::string(pending.topic));
    }
    end_pending(*due->box, due->pending, "null", error_json(error_name::timeout, what), RequestOutcome::timeout);
  }
  while (const auto id = parking_.due(now)) drop_parked(*mailboxes_.find(*id), "expired");
  flush_touched();
}

/// Those who asked for it at the same time and have no answer yet get none by this.
void RingLoop::drop_topic(Mailbox& box, Session& session, const std::string& topic) {
  if (!session.topics.remove(topic)) return;
  mailboxes_.remove_topic(box, topic);
  if (face(session).subscriptions.remove(topic, address(numbered_worker, box.id(), session)).last)
    release(face(session), topic);
}

}  // namespace nuropb::meshd
