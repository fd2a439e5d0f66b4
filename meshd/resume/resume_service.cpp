#include "meshd/resume/resume_service.hpp"

#include <algorithm>
#include <utility>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {
namespace {

constexpr auto resume_tick = milliseconds(10);      // how exact deadlines are
constexpr std::uint64_t most_numbers = 1ULL << 53;  // they travel in JSON

std::string failed(std::string_view reason, std::string_view description) {
  return R"({"error":")" + std::string(error_name::resume_failed) + R"(","description":)" + json::quoted(description) +
         R"(,"reason":")" + std::string(reason) + "\"}";
}

}  // namespace

ResumeService::ResumeService(Parts parts)
    : config_(parts.config),
      clock_(parts.clock),
      tickets_(parts.tickets),
      deadline_(parts.deadline),
      mailboxes_(parts.mailboxes),
      delivery_(parts.delivery),
      detached_(parts.detached),
      sessions_(parts.sessions),
      subscriptions_(parts.subscriptions),
      faces_(parts.faces),
      workers_(parts.workers),
      responses_(parts.responses),
      timer_(parts.timers) {}

RecordResult ResumeService::handle(Worker& worker, const records::Resume& record, Session& session,
                                   const ReturnAddress& from, std::size_t length) {
  using What = records::Resume::What;
  if (!record.trace_id.empty() && json::validate(record.trace_id, nullptr, {config_.limits.json_depth}))
    return RecordResult::violation("its trace_id is not JSON");
  switch (record.what) {
    case What::keep:
    case What::resume: return begin(worker, record, session, from, length);
    case What::seen:
      if (session.mailbox) mailboxes_.seen(*session.mailbox, std::min(record.number, session.mailbox->handed));
      return RecordResult::handled();
    case What::again: return number_again(worker, record, session);
    case What::pending: await_again(record, session, from); return RecordResult::handled();
    case What::say: return say(worker, record, session);
  }
  return RecordResult::violation("it says nothing");
}

/// A client asks for its messages to be numbered, or for its former session.
RecordResult ResumeService::begin(Worker& worker, const records::Resume& record, Session& session,
                                  const ReturnAddress& from, std::size_t length) {
  if (delivery_.awaits(from)) return RecordResult::violation("its sequence is in use");
  if (const auto over = sessions_.over_rates(session, length, false)) {
    responses_.respond(over_limit(from, over->why));
    sessions_.end_over_rates(worker, record.session, session, *over);
  } else if (session.state == SessionState::open) {
    if (record.what == records::Resume::What::keep) keep_messages(worker, record, session, from);
    else resume(worker, record, session, from);
  }
  return RecordResult::handled();
}

/// An edge says to a meshd that was restarted which number it gave to the client's last message.
RecordResult ResumeService::number_again(Worker& worker, const records::Resume& record, Session& session) {
  if (session.mailbox) return RecordResult::handled();
  if (record.number > most_numbers) return RecordResult::violation("nobody had so many messages");
  const auto token = tickets_.open_resume(record.token);
  if (!config_.resume.enabled || !token || token->session != session.id) {
    sessions_.close(worker, record.session, session, close_code::mesh_unavailable,
                    "its messages can't be numbered any more");
    return RecordResult::handled();
  }
  number_messages(worker.id(), record.session, session, record.number);
  session.mailbox->token = session.mailbox->proven = token->count;
  session.mailbox->resumed_from = record.number;
  return RecordResult::handled();
}

/// A request that our predecessor published; its response is found by its address.
void ResumeService::await_again(const records::Resume& record, Session& session, const ReturnAddress& from) {
  if (!session.mailbox || delivery_.awaits(from)) return;
  (void)delivery_.await(session, records::Type::request, from, record.trace_id, deadline_.of(record.deadline_ms));
}

/// A message that the edge has for the client, which is to be numbered with the others.
RecordResult ResumeService::say(Worker& worker, const records::Resume& record, Session& session) {
  if (!session.mailbox || !record.text.starts_with('{') ||
      json::validate(record.text, nullptr, {config_.limits.json_depth + 8U}))
    return RecordResult::violation("it has nothing to say");
  // It may be another edge that is given it.
  if (record.text.size() > config_.limits.message_bytes + records::max_framing)
    return RecordResult::violation("it says more than a message can have");
  if (record.number > ReturnAddress::max_sequence + 1)
    return RecordResult::violation("its sequence has more than 40 bits");
  delivery_.say_response(worker.id(), record, session);
  return RecordResult::handled();
}

/// From now on; `last` is the number that the client was given last.
void ResumeService::number_messages(WorkerId worker, std::uint32_t slot, Session& session, std::uint64_t last) {
  // What it is subscribed to already, its edge has done for it until now.
  const ReturnAddress before = delivery_.holder(worker, slot, session);
  session.mailbox = std::make_unique<Mailbox>(mailboxes_, session, last);
  mailboxes_.move(*session.mailbox, Mailbox::Place{worker, slot});
  session.mailbox->inherited_from = last;
  subscriptions_.move(session, before, delivery_.holder(worker, slot, session));
  for (const std::string& topic : session.topics) mailboxes_.add_topic(*session.mailbox, topic);
}

void ResumeService::keep_messages(Worker& worker, const records::Resume& record, Session& session,
                                  const ReturnAddress& from) {
  if (!config_.resume.enabled)
    return responses_.respond(
        answer_of(from, "null", failed("off", "this gateway keeps no messages (resume.enabled)")));
  const bool first = !session.mailbox;
  if (first) number_messages(worker.id(), record.session, session, 0);
  Mailbox& box = *session.mailbox;
  const std::string token = tickets_.seal_resume({session.id, box.token});
  if (first) {
    std::string payload;
    records::encode(
        records::Resumed{records::Resumed::What::kept, record.session, session.serial, 0, session.id, token, {}},
        payload);
    workers_.send(worker.id(), records::Type::resumed, 0, std::move(payload));
  }
  if (!delivery_.await(session, records::Type::resume, from, record.trace_id, deadline_.of(record.deadline_ms)))
    return responses_.respond(MailboxDelivery::too_many(from));
  responses_.respond(done(from, R"({"session_id":")" + session.id.hex() + R"(","resume":)" + resume_json(token) + "}"));
}

std::string ResumeService::resume_json(std::string_view token) const {
  return R"({"token":")" + std::string(token) + R"(","window_ms":)" + std::to_string(config_.resume.window_ms) + "}";
}

/// The client of the session `fresh`, which has just been opened, asks for the session that the token names.
void ResumeService::resume(Worker& worker, const records::Resume& record, Session& fresh, const ReturnAddress& from) {
  const auto fail = [&](std::string_view reason, std::string_view description) {
    ++counters_.failed;
    sessions_.refusal_log().tell(RefusalLog::Kind::resume, clock_.now(), fresh.id, {}, fresh.identity.user_id(),
                                 reason);
    responses_.respond(answer_of(from, "null", failed(reason, "resume failed: " + std::string(description))));
  };
  if (!config_.resume.enabled) return fail("off", "this gateway keeps no messages (resume.enabled)");
  if (fresh.mailbox) return fail("not_new", "this socket has a session whose messages are kept already");
  const auto token = tickets_.open_resume(record.token);
  if (!token) return fail("unknown", "this gateway has given no such token");
  Session* const found = faces_.of(fresh).sessions.find(token->session);  // of its own kind
  if (!found || !found->mailbox || found->state != SessionState::open) {
    const std::string_view ended = detached_.why_ended(token->session);
    if (ended.empty()) return fail("unknown", "nothing is kept for this session");
    if (ended == "expired") return fail("expired", "the session waited for resume.window_ms");
    if (ended == "too_many") return fail("too_many", "more sessions waited than resume.sessions");
    return fail("ended", "the session was ended");
  }
  Mailbox& box = *found->mailbox;
  if (found->identity.user_id() != fresh.identity.user_id()) return fail("other_user", "the token is another user's");
  if (token->count > box.token || token->count < box.proven)
    return fail("used", "the token has been used; the one that counts came with the answer");
  if (token->count < box.token) {
    // Its client may have lost the socket before it had the new token; then it has seen nothing since.
    if (box.place()) return fail("in_use", "another socket has used this token and is open");
    if (record.number != box.resumed_from)
      return fail("used", "the token has been used; the one that counts came with the answer");
  }
  if (!box.place() && box.parked_until <= clock_.now()) {
    detached_.drop(*found, "expired");
    return fail("expired", "the session waited for resume.window_ms");
  }
  if (record.number > box.last()) return fail("bad_seq", "the session has had no message of this seq");
  if (record.number < box.gone())
    return fail("missed_too_much", "more was missed than resume.mailbox_bytes or resume.total_bytes keep");

  auto session = box.place() ? take_over(box) : detached_.reattach(box);
  Identity identity = fresh.identity.unpack();
  sessions_.forget(worker.id(), record.session, fresh);
  session->place = std::move(fresh.place);
  session->serial = fresh.serial;
  session->restored = 0;
  session->authorizing = false;
  session->indexed.worker = worker.id();
  session->indexed.slot = record.session;
  Session& taken = worker.sessions().adopt(record.session, std::move(session));
  mailboxes_.move(box, Mailbox::Place{worker.id(), record.session});
  box.proven = token->count;
  ++box.token;
  box.resumed_from = record.number;
  mailboxes_.seen(box, record.number);
  box.handed = record.number;
  box.inherited_from = box.last();
  ++counters_.resumed;
  log::info("session resumed", {{"session", taken.id.hex()}, {"missed", box.last() - record.number}});
  send_resumed(worker, taken, from.sequence);
  sessions_.take_identity(worker, record.session, taken, std::move(identity));
  delivery_.hand_over(box);
}

/// Its session, out of the socket that it has now, which is closed.
std::unique_ptr<Session> ResumeService::take_over(Mailbox& box) {
  const Mailbox::Place old = *box.place();
  const std::uint32_t serial = box.owner().serial;
  Worker& other = *workers_.find(old.worker);
  sessions_.socket_gone(old.worker, old.slot, serial);
  auto session = other.sessions().release(old.slot);
  sessions_.send_away(other, old.slot, serial, close_code::resumed_elsewhere, "resumed by another socket");
  return session;
}

void ResumeService::send_resumed(Worker& worker, const Session& session, std::uint64_t sequence) {
  const Mailbox& box = *session.mailbox;
  const std::uint32_t slot = box.place()->slot;
  const std::string token = tickets_.seal_resume({session.id, box.token});
  std::string text = R"({"type":"event","payload":{"topic":"resumed","event":{"session_id":")" + session.id.hex() +
                     R"(","seq":)" + std::to_string(box.last()) + R"(,"resume":)" + resume_json(token) +
                     R"(,"pending":[)";
  const auto send = [&](const records::Resumed& record, std::uint64_t number) {
    std::string payload;
    records::encode(record, payload);
    workers_.send(worker.id(), records::Type::resumed, number, std::move(payload));
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

void ResumeService::close_overrun() {
  for (const std::uint32_t id : mailboxes_.take_overrun()) {
    Mailbox* const box = mailboxes_.find(id);
    Worker* const worker =
        box && box->place() && box->gone() > box->handed ? workers_.find(box->place()->worker) : nullptr;
    if (worker) sessions_.close(*worker, box->place()->slot, box->owner(), close_code::slow_consumer, "slow consumer");
  }
}

void ResumeService::arm_timer() {
  const SteadyTime next = std::min(mailboxes_.next_deadline(), detached_.next_deadline());
  if (next == SteadyTime::max() || timer_at_ <= next) return;
  timer_at_ = std::max(next, clock_.now() + resume_tick);
  timer_.at(timer_at_, [this] {
    timer_at_ = SteadyTime::max();
    expire();
    arm_timer();
  });
}

void ResumeService::expire() {
  const SteadyTime now = clock_.now();
  while (const auto due = mailboxes_.due(now)) {
    const Mailbox::Pending& pending = due->box->pending().at(due->pending);
    std::string_view what = "no answer in time; it may have run";
    if (pending.verb == records::Type::subscribe) {
      what = "no answer in time; not subscribed";
      // Others of the session that asked for it at the same time and have no response yet get none by this.
      subscriptions_.forget(numbered_worker, 0, due->box->owner(), std::string(pending.topic));
    }
    delivery_.end_request(*due->box, due->pending, "null", error_json(error_name::timeout, what),
                          RequestOutcome::timeout);
  }
  detached_.expire(now);
  workers_.flush();
}

}  // namespace nuropb::meshd
