#include "meshd/resume/mailbox_delivery.hpp"

#include <utility>

#include "common/consumer_messages.hpp"
#include "common/messages.hpp"

namespace nuropb::meshd {

void MailboxDelivery::notify(Worker& worker, std::uint32_t slot, Session& session, const std::string& text) {
  if (session.mailbox) return say(*session.mailbox, text);
  std::string payload;
  records::encode(records::SessionNotice{slot, session.serial, text}, payload);
  worker.send(records::Type::session_notice, 0, std::move(payload));
  workers_.touch(worker);
}

void MailboxDelivery::end_subscription(Worker* worker, std::uint32_t slot, Session& session, std::string_view topic,
                                       const std::string& text) {
  if (session.mailbox) {
    mailboxes_.remove_topic(*session.mailbox, topic);
    say(*session.mailbox, text);
  }
  if (!worker) return;
  std::string payload;
  records::encode(records::SubscriptionEnded{slot, session.serial, topic,
                                             session.mailbox ? std::string_view() : std::string_view(text)},
                  payload);
  worker->send(records::Type::subscription_ended, 0, std::move(payload));
  workers_.touch(*worker);
}

void MailboxDelivery::forget_topic(Session& session, std::string_view topic) {
  if (session.mailbox) mailboxes_.remove_topic(*session.mailbox, topic);
}

ReturnAddress MailboxDelivery::holder(WorkerId worker, std::uint32_t slot, const Session& session) const {
  return session.mailbox ? faces_.address(numbered_worker, session.mailbox->id(), session)
                         : faces_.address(worker, slot, session);
}

bool MailboxDelivery::await(Session& session, records::Type verb, const ReturnAddress& from, std::string_view trace_id,
                            SteadyTime deadline, std::string_view topic) {
  if (!mailboxes_.wait(*session.mailbox,
                       {from, session.serial, verb, std::string(trace_id), std::string(topic), deadline}))
    return false;
  on_deadline_();
  return true;
}

Returned MailboxDelivery::too_many(const ReturnAddress& from) {
  return over_limit(from, "too many requests are outstanding for a session whose messages are kept; it was not sent");
}

ReturnAddress MailboxDelivery::asker(const Session& session, const ReturnAddress& from) const {
  if (!session.mailbox) return from;
  return faces_.of(session).address(numbered_worker, session.mailbox->id(), mailboxes_.find(from).pending);
}

bool MailboxDelivery::deliver(const Returned& response) {
  Mailboxes::Found found;
  if (response.to.slot == numbered_worker.slot) {
    found = {mailboxes_.find(response.to.session), response.to.sequence};
    if (!found.box) return true;
  } else {
    found = mailboxes_.find(response.to);
    if (!found.box) return false;
  }
  const auto record = records::decode<records::Response>(response.payload);
  if (record) end_request(*found.box, found.pending, record->result, record->error, record->outcome, record->stages);
  return true;
}

void MailboxDelivery::end_request(Mailbox& box, std::uint64_t number, std::string_view result, std::string_view error,
                                  RequestOutcome outcome, const records::Stages& stages) {
  const auto found = box.pending().find(number);
  if (found == box.pending().end()) return;
  const Mailbox::Pending& pending = found->second;
  const bool refused = error != "null";
  Session& session = box.owner();
  if (pending.verb == records::Type::subscribe && !refused && session.topics.contains(pending.topic))
    mailboxes_.add_topic(box, pending.topic);
  if (pending.trace_id.empty()) {
    // Its edge brings back what it knew before our restart, and no client waits for the response.
    const ReturnAddress from = pending.from;
    mailboxes_.take(box, number);
    std::string payload;
    records::encode(records::Response{from.session, result, error, outcome}, payload);
    return workers_.send({from.slot, from.generation}, records::Type::response, from.sequence, std::move(payload));
  }
  std::string text;
  encode_response(text, pending.trace_id, result, error);
  mailboxes_.answer(box, number, shared(std::move(text)), outcome, stages);
  hand_over(box);
}

void MailboxDelivery::say(Mailbox& box, std::shared_ptr<const std::string> text) {
  mailboxes_.add(box, std::move(text));
  hand_over(box);
}

void MailboxDelivery::say_response(WorkerId worker, const records::Resume& record, Session& session) {
  auto text = shared(std::string(record.text));
  if (record.number > 0) {
    const auto found = mailboxes_.find(faces_.of(session).address(worker, record.session, record.number - 1));
    if (found.box == session.mailbox.get() && mailboxes_.answer(*found.box, found.pending, text, RequestOutcome::ok))
      return hand_over(*found.box);
  }
  say(*session.mailbox, std::move(text));
}

void MailboxDelivery::event(HandlerKind kind, const std::string& routing_key, const std::string& payload) {
  mailboxes_.match(routing_key, interested_);
  const auto event = records::decode<records::MeshEvent>(payload);
  if (interested_.empty() || !event) return;
  const EventTarget target(event->target);
  const auto text = shared(encode_consumer_event(*event));
  for (Mailbox* const box : interested_) {
    if (box->owner().handler != kind) continue;
    if (target.includes(box->owner().identity.user_id())) say(*box, text);
  }
}

void MailboxDelivery::hand_over(Mailbox& box) {
  Worker* const worker = box.place() ? workers_.find(box.place()->worker) : nullptr;
  if (worker) {
    while (const Mailbox::Message* const message = box.after(box.handed)) {
      if (worker->outbox_bytes() > 0) {
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
        record.answers = WorkerId{asked.from.slot, asked.from.generation} == worker->id() &&
                         asked.from.session == box.place()->slot && asked.serial == box.owner().serial;
        record.inherited = !record.answers && message->number > box.inherited_from;
        sequence = record.answers ? asked.from.sequence : record.inherited ? message->pending : 0;
        if (record.answers) record.stages = message->stages;  // another edge would take its wait for the ring's
      }
      std::string payload;
      records::encode(record, payload);
      worker->send(records::Type::numbered, sequence, std::move(payload));
      box.handed = message->number;
    }
    workers_.touch(*worker);
    workers_.schedule_turn();
  }
  mailboxes_.trim(box);
  if (mailboxes_.any_overrun()) workers_.schedule_turn();
}

void MailboxDelivery::hand_over_waiting(Worker& worker) {
  while (worker.outbox_bytes() == 0) {
    Mailbox* const box = mailboxes_.next_for_room(worker.id());
    if (!box) return;
    hand_over(*box);
  }
}

}  // namespace nuropb::meshd
