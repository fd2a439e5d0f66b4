// What is said to sessions whose messages are numbered: into their mailboxes, and from there to their edges. Who such a
// session is, and how it is parked and taken up again: ring_resume.cpp.

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

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

/// A message that a number can be put into: an object without one.
std::string numberable(std::string_view text) {
  std::array<json::Field, 1> fields{{{"seq"}}};
  if (text.starts_with('{') && !json::scan(text, fields, nullptr) && !fields[0].value.present())
    return std::string(text);
  return R"({"type":"message","payload":)" + std::string(text) + "}";
}

}  // namespace

/// A request of a session whose messages are numbered. Nothing, and answered, if too many are outstanding.
std::optional<ReturnAddress> RingLoop::wait_for_answer(Session& session, records::Type verb, const ReturnAddress& from,
                                                       std::string_view trace_id, SteadyTime deadline,
                                                       std::string_view topic) {
  const auto number = mailboxes_.wait(
      *session.mailbox, {from, session.serial, verb, std::string(trace_id), std::string(topic), deadline});
  if (!number) {
    deliver(refusal(from, error_name::transport,
                    "too many requests are outstanding for a session whose messages are kept; it was not sent"),
            {});
    return {};
  }
  arm_resume_timer();
  return face(session).address(numbered_worker, session.mailbox->id(), *number);
}

/// True if it was an answer to a session whose messages are numbered: it has been dealt with.
bool RingLoop::deliver_numbered(const Returned& returned) {
  Mailboxes::Found found;
  if (returned.to.slot == numbered_worker.slot) {
    found = {mailboxes_.find(returned.to.session), returned.to.sequence};
    if (!found.box) return true;
  } else {
    found = mailboxes_.find(returned.to);
    if (!found.box) return false;
  }
  const auto record = records::decode<records::Response>(returned.payload);
  if (record) end_pending(*found.box, found.pending, record->result, record->error, record->outcome, record->stages);
  return true;
}

void RingLoop::end_pending(Mailbox& box, std::uint64_t number, std::string_view result, std::string_view error,
                           RequestOutcome outcome, const records::Stages& stages) {
  const auto found = box.pending().find(number);
  if (found == box.pending().end()) return;
  const Mailbox::Pending& pending = found->second;
  const bool refused = error != "null";
  Session& session = box.owner();
  if (pending.verb == records::Type::subscribe && !refused && session.topics.contains(pending.topic))
    mailboxes_.add_topic(box, pending.topic);
  if (pending.trace_id.empty()) {
    // Its edge brings back what stood before us, and nobody else waits for it.
    const ReturnAddress from = pending.from;
    mailboxes_.take(box, number);
    std::string payload;
    records::encode(records::Response{from.session, result, error, outcome}, payload);
    return send_to_worker({from.slot, from.generation}, records::Type::response, from.sequence, std::move(payload));
  }
  std::string text;
  encode_response(text, pending.trace_id, result, error);
  mailboxes_.answer(box, number, shared(std::move(text)), outcome, stages);
  hand_over(box);
}

void RingLoop::say(Mailbox& box, std::shared_ptr<const std::string> text) {
  mailboxes_.add(box, std::move(text));
  hand_over(box);
}
void RingLoop::say(Mailbox& box, std::string text) { say(box, shared(std::move(text))); }

/// We have sent it to the edge as we got it, before we read there that somebody waits for it whose messages are numbered.
void RingLoop::say_answer(WorkerId worker, const records::Resume& record, Session& session) {
  auto text = shared(std::string(record.text));
  if (record.number > 0) {
    const auto found = mailboxes_.find(face(session).address(worker, record.session, record.number - 1));
    if (found.box == session.mailbox.get() && mailboxes_.answer(*found.box, found.pending, text, RequestOutcome::ok))
      return hand_over(*found.box);
  }
  say(*session.mailbox, std::move(text));
}

/// What its edge has not got yet, as long as there is room; then what is over a bound goes.
void RingLoop::hand_over(Mailbox& box) {
  Attached* const attached = box.place() ? find(box.place()->worker) : nullptr;
  if (attached) {
    Worker& worker = attached->worker;
    while (const Mailbox::Message* const message = box.after(box.handed)) {
      if (worker.outbox_bytes() > 0) {
        mailboxes_.wait_for_room(box);
        break;
      }
      records::Numbered record{box.place()->slot,
                               box.owner().serial,
                               message->number,
                               false,
                               false,
                               message->outcome != RequestOutcome::ok,
                               *message->text,
                               message->outcome,
                               {}};
      std::uint64_t sequence = 0;
      if (message->answers) {
        const Mailbox::Asked& asked = *message->answers;
        record.answers = WorkerId{asked.from.slot, asked.from.generation} == worker.id() &&
                         asked.from.session == box.place()->slot && asked.serial == box.owner().serial;
        record.inherited = !record.answers && message->number > box.inherited_from;
        sequence = record.answers ? asked.from.sequence : record.inherited ? message->pending : 0;
        if (record.answers) record.stages = message->stages;  // another edge would take its wait for the ring's
      }
      std::string payload;
      records::encode(record, payload);
      worker.send(records::Type::numbered, sequence, std::move(payload));
      box.handed = message->number;
    }
    touch(*attached);
    schedule_turn();
  }
  mailboxes_.trim(box);
  if (mailboxes_.any_overrun()) schedule_turn();
}

/// Those for whom this edge had no room, as long as it has some now.
void RingLoop::hand_over_waiting(Attached& attached) {
  while (attached.worker.outbox_bytes() == 0) {
    Mailbox* const box = mailboxes_.next_for_room(attached.worker.id());
    if (!box) return;
    hand_over(*box);
  }
}

/// Something of theirs was let go before their edges had room for it. The consumer hears of it when it comes again.
void RingLoop::close_overrun() {
  for (const std::uint32_t id : mailboxes_.take_overrun()) {
    Mailbox* const box = mailboxes_.find(id);
    Attached* const attached = box && box->place() && box->gone() > box->handed ? find(box->place()->worker) : nullptr;
    if (attached)
      close_session(*attached, box->place()->slot, box->owner(), close_code::slow_consumer, "slow consumer");
  }
}

void RingLoop::say_event(HandlerKind kind, const std::string& routing_key, const std::string& payload) {
  mailboxes_.match(routing_key, boxes_);
  const auto event = records::decode<records::MeshEvent>(payload);
  if (boxes_.empty() || !event) return;
  const EventTarget target(event->target);
  const auto text = shared(encode_consumer_event(*event));
  for (Mailbox* const box : boxes_) {
    if (box->owner().handler != kind) continue;
    if (target.includes(box->owner().identity.user_id())) say(*box, text);
  }
}

/// What edges do for the other sessions (edge/relay/push_relay.cpp), for those whose messages are numbered.
void RingLoop::push_numbered(records::Type type, const std::string& payload) {
  std::uint64_t op = 0;
  std::uint32_t taken = 0;
  HandlerKind kind{};
  if (type == records::Type::push) {
    const auto record = records::decode<records::Push>(payload);
    if (!record) return;
    op = record->op;
    kind = record->handler;
    const auto text = shared(numberable(record->text));
    const auto work = [&](Mailbox& box) {
      if (taps_.watching()) [[unlikely]]
        taps_.pushed(box.owner(), record->text);
      say(box, text);
      ++taken;
    };
    if (record->all)
      mailboxes_.each([&](Mailbox& box) {
        if (box.owner().handler == kind) work(box);
      });
    for (std::size_t i = 0; i < record->sessions.size(); ++i) {
      if (Mailbox* const box = mailboxes_.find(record->sessions[i].session)) work(*box);
    }
  } else {
    const auto record = records::decode<records::CloseSessions>(payload);
    if (!record) return;
    op = record->op;
    kind = record->handler;
    const auto work = [&](Mailbox& box) {
      Attached* const attached = box.place() ? find(box.place()->worker) : nullptr;
      if (attached && record->all) return;  // its edge closes it
      if (attached) {
        end_session(*attached, box.place()->slot, box.owner(), record->code, record->reason);
        schedule_turn();  // or its edge would not see it before the next beat
      } else if (!may_come_back(record->code)) {
        drop_parked(box, "ended");
      } else {
        return;
      }
      ++taken;
    };
    if (record->all)
      mailboxes_.each([&](Mailbox& box) {
        if (box.owner().handler == kind) work(box);
      });
    for (std::size_t i = 0; i < record->sessions.size(); ++i) {
      if (Mailbox* const box = mailboxes_.find(record->sessions[i].session)) work(*box);
    }
  }
  // Not at once: whoever asked is still in the midst of asking.
  if (op != 0)
    boost::asio::post(io_,
                      [this, kind, op, taken] { (void)face(kind)->pushes.on_pushed(numbered_worker, {op, taken}); });
}

}  // namespace nuropb::meshd
