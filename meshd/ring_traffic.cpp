// The way out: what consumers say, out of the rings and towards the mesh.

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>

#include "common/close_codes.hpp"
#include "common/consumer_messages.hpp"
#include "common/crash_points.hpp"
#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/topic.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

// What one worker may have read in one turn before the next one's turn comes; and before its answers are shown to it, which
// it then sends while we read on.
constexpr int turn_records = 64;
constexpr std::size_t turn_bytes = 1U << 20;

}  // namespace

void RingLoop::activate(Attached& attached) {
  if (!attached.active) {
    attached.active = true;
    attached.worker.cancel_sleep();
    turn_order_.push_back(attached.worker.id());
  }
  schedule_turn();
}

void RingLoop::schedule_turn() {
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  boost::asio::post(io_, [this] { turn(); });
}

void RingLoop::turn() {
  turn_scheduled_ = false;
  // Requests that the transport has no room for stay here, rings stay unread, and edges stop reading from sockets.
  // The transport's next batch wakes us.
  publish_waiting();
  if (!outgoing()) {
    std::vector<WorkerId> order;
    order.swap(turn_order_);
    for (const WorkerId id : order) {
      Attached* attached = find(id);
      if (!attached) continue;
      if (outgoing()) {
        turn_order_.push_back(id);  // unread in this turn, first in the next
        continue;
      }
      const bool more = read_requests(*attached);
      touch(*attached);  // what was settled in reading is told
      each_face([this](Face& face) { send_encrypted(face); });
      publish_waiting();
      NUROPB_CRASH_POINT(requests_handed_over);
      if (!attached->worker.why().empty()) {
        detach(id, attached->worker.why(), true);
      } else if (more || !attached->worker.prepare_sleep()) {
        turn_order_.push_back(id);
      } else {
        attached->active = false;
      }
    }
    if (!turn_order_.empty() && !outgoing()) schedule_turn();
  }
  flush_touched();
}

void RingLoop::publish_waiting() {
  each_face([](Face& face) {
    if (!face.outgoing.empty()) face.manager.publish(face.outgoing);
  });
}

/// Something waits for room in the transport.
bool RingLoop::outgoing() const {
  return std::any_of(faces_.begin(), faces_.end(), [](const auto& face) { return face && !face->outgoing.empty(); });
}

/// True if the budget ended before the ring did.
bool RingLoop::read_requests(Attached& attached) {
  shm::RecordHeader header;
  std::size_t bytes = 0;
  bool more = true;
  turn_began_ = moment_ = clock_.now();
  int records = 0;
  for (; records < turn_records && bytes < turn_bytes; ++records) {
    const auto next = attached.worker.next(header, payload_);
    if (next != Worker::Next::record) {
      more = false;
      break;
    }
    bytes += header.length;
    if (!dispatch(attached, header, payload_)) {
      more = false;
      break;
    }
  }
  attached.worker.end_of_reading();
  scheduling_.handled(static_cast<std::size_t>(records));
  return more;
}

bool RingLoop::dispatch(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  Worker& worker = attached.worker;
  const auto type = static_cast<records::Type>(header.type);
  const auto impossible = [&](const char* why) {
    worker.violate("record type " + std::to_string(header.type) + ": " + why);
    return false;
  };
  switch (type) {
    case records::Type::open_session: {
      const std::uint64_t work = worker.begin_work();
      worker.settle(work);
      return open_session(attached, payload);
    }
    case records::Type::close_session: {
      const auto record = records::decode<records::CloseSession>(payload);
      if (!record) return impossible("can't be decoded");
      Session* const session = worker.sessions().find(record->session, record->serial);
      const bool kept = session && park_if_kept(worker.id(), worker.sessions(), record->session,
                                                record->lost ? close_code::going_away : std::uint16_t{1000});
      if (!kept && session && allowed(type, session->state) == Verb::close) {
        forget_session(worker.id(), record->session, *session);
        worker.sessions().close(*session);
      }
      worker.settle(worker.begin_work());
      return true;
    }
    case records::Type::request:
    case records::Type::command:
    case records::Type::describe:
    case records::Type::event:
    case records::Type::subscribe:
    case records::Type::unsubscribe:
    case records::Type::authorize: return consumers_record(attached, header, payload);
    case records::Type::resume: return resume_record(attached, header, payload);
    case records::Type::snorky_call: return snorky_record(attached, header, payload);
    case records::Type::backend_call: return backend_record(attached, header, payload);
    case records::Type::console_call: return console_record(attached, header, payload);
    case records::Type::pushed: {
      const auto record = records::decode<records::Pushed>(payload);
      const auto kind = record ? Pushes::kind_of(record->op) : std::nullopt;
      if (!kind || !face(*kind) || !face(*kind)->pushes.on_pushed(worker.id(), *record))
        return impossible(record ? "a count that nobody asked for" : "can't be decoded");
      worker.settle(worker.begin_work());
      return true;
    }
    default: return impossible("not for meshd");
  }
}

/// False if it has its answer already.
template <class Record>
bool RingLoop::note_pending(const Record& record, records::Type type, Session& session, const ReturnAddress& from) {
  if constexpr (std::is_same_v<Record, records::Subscription>) {
    return wait_for_answer(session, type, from, record.trace_id, deadline_of(record.deadline_ms), record.topic)
        .has_value();
  } else {
    return wait_for_answer(session, type, from, record.trace_id, deadline_of(record.deadline_ms), {}).has_value();
  }
}

/// Sends it, with the span that it begins as its parent where spans are made, or lines of a trace are logged.
template <class Record, class Send>
bool RingLoop::in_span(records::Type verb, std::string_view service, std::string_view method, const Session& session,
                       const ReturnAddress& from, const Record& record, const Send& send) {
  if (!traced()) return send(record);
  const std::string parent =
      begin_span(verb, service, method, session, from, record.trace_id, record.origin, record.deadline_ms);
  Record changed = record;
  changed.origin.traceparent = parent;
  return send(changed);
}

/// What a consumer says, in whatever words: each has a session, a sequence and one answer.
bool RingLoop::consumers_record(Attached& attached, const shm::RecordHeader& header, const std::string& payload) {
  Worker& worker = attached.worker;
  const auto type = static_cast<records::Type>(header.type);
  const auto impossible = [&](const char* why) {
    worker.violate("record type " + std::to_string(header.type) + ": " + why);
    return false;
  };
  if (header.sequence > ReturnAddress::max_sequence) return impossible("its sequence has more than 40 bits");
  const auto with = [&](auto&& record, auto&& work) {
    if (!record) return impossible("can't be decoded");
    Session* const session = worker.sessions().find(record->session, record->serial);
    if (!session) return impossible("of a session that is not open");
    const ReturnAddress from = face(*session).address(worker.id(), record->session, header.sequence);
    const Verb verb = allowed(type, session->state);
    if (taps_.watching() && verb != Verb::violation && verb != Verb::ignore) [[unlikely]]
      taps_.asked(type, *record, *session, from);
    switch (verb) {
      case Verb::publish:
      case Verb::authorize:
      case Verb::subscribe:
        // Or what it is told would be told to the session whose request that is, wherever that is by now.
        if (mailboxes_.find(from).box) return impossible("its sequence is in use");
        if (session->mailbox && !record->trace_id.empty() &&
            json::validate(record->trace_id, nullptr, {config_.limits.json_depth}))
          return impossible("its trace_id is not JSON");
        if (session->mailbox && !note_pending(*record, type, *session, from)) {
          worker.settle(worker.begin_work());
          return true;
        }
        return within_user_rates(attached, header, *session, from) ? work(*record, *session, from) : true;
      case Verb::ignore: worker.settle(worker.begin_work()); return true;
      default: return impossible("not allowed in this state of the session");
    }
  };
  switch (type) {
    case records::Type::event:
      return with(records::decode<records::Event>(payload), [&](const records::Event& event, Session& session,
                                                                const ReturnAddress& from) {
        auto refused = refused_by_policy(event, session, from);
        if (!refused) {
          measure_read(attached, from, event.origin);
          const auto send = [&](const records::Event& record) {
            return publish(attached, face(session),
                           to_outgoing(record, session, from, face(session).addresses, turn_began_, request_settings_));
          };
          return in_span(type, event.topic, {}, session, from, event, send);
        }
        worker.settle(worker.begin_work());
        deliver(std::move(*refused), {});
        return true;
      });
    case records::Type::authorize:
      return with(records::decode<records::Authorize>(payload),
                  [&](const records::Authorize& record, Session& session, const ReturnAddress& from) {
                    worker.settle(worker.begin_work());
                    authorize(record, session, from);
                    return true;
                  });
    case records::Type::subscribe:
    case records::Type::unsubscribe:
      return with(records::decode<records::Subscription>(payload), [&](const records::Subscription& record,
                                                                       Session& session, const ReturnAddress& from) {
        worker.settle(worker.begin_work());
        const auto number = session.mailbox ? mailboxes_.find(from).pending : 0;
        const ReturnAddress asker =
            session.mailbox ? face(session).address(numbered_worker, session.mailbox->id(), number) : from;
        if (!record.trace_id.empty() && traced())
          (void)begin_span(type, record.topic, {}, session, asker, record.trace_id, record.origin, record.deadline_ms);
        if (type == records::Type::subscribe) subscribe(record, session, asker);
        else unsubscribe(record, session, asker);
        return true;
      });
    default:
      return with(records::decode<records::Request>(payload),
                  [&](const records::Request& request, Session& session, const ReturnAddress& from) {
                    auto refused = refused_by_policy(type, request, session, from);
                    if (!refused && !may_wait(type, request, session, from)) {
                      worker.settle(worker.begin_work());
                      return true;
                    }
                    if (!refused) {
                      measure_read(attached, from, request.origin);
                      const auto send = [&](const records::Request& record) {
                        return publish(attached, face(session),
                                       to_outgoing(type, record, session, from, face(session).addresses, turn_began_,
                                                   request_settings_),
                                       record.method);
                      };
                      return in_span(type, request.service, request.method, session, from, request, send);
                    }
                    worker.settle(worker.begin_work());
                    deliver(std::move(*refused), {});
                    return true;
                  });
  }
}

std::optional<Returned> RingLoop::refused_by_policy(records::Type type, const records::Request& request,
                                                    const Session& session, const ReturnAddress& from) const {
  // What a service keeps to itself never leaves the gateway, whatever the policy says; in the words that services use.
  if (request.method.starts_with('_'))
    return refusal(from, error_name::handling, "Unknown method " + std::string(request.method));
  const Use use = type == records::Type::command    ? Use::command
                  : type == records::Type::describe ? Use::describe
                                                    : Use::request;
  // Who may request may request a description, as with nuropb-gw; but not one that a rule denies.
  const bool denied =
      request.method == mesh::name_of_describe && session.policy.denies(Use::describe, request.service, {});
  if (!denied && session.policy.allows(use, request.service, request.method)) return {};
  return refusal(from, error_name::authorization,
                 "Service " + std::string(request.service) +
                     (use == Use::describe ? "" : ", method " + std::string(request.method)) + ": this user may not " +
                     (use == Use::command    ? "command"
                      : use == Use::describe ? "describe"
                                             : "request") +
                     " it (policy)");
}

std::optional<Returned> RingLoop::refused_by_policy(const records::Event& event, const Session& session,
                                                    const ReturnAddress& from) {
  const auto refused = [&](std::string_view error, const std::string& why) {
    return refusal(from, error, "Topic " + std::string(event.topic) + why);
  };
  if (Peers::reserved(event.topic) || !session.policy.allows_topic(Use::event, event.topic))
    return refused(error_name::authorization, ": this user may not publish to it (policy)");
  if (const auto problem = topic_problem(event.topic)) return refused(error_name::validation, ' ' + *problem);
  if (EventTarget::most_users(event.target) > EventTarget::max_users)
    return refused(error_name::validation,
                   ": target names more than " + std::to_string(EventTarget::max_users) + " users");
  return {};
}

bool RingLoop::publish(Attached& attached, Face& face, Result<mesh::Outgoing> message, std::string_view method) {
  if (!message) {
    attached.worker.violate(message.error().text());
    return false;
  }
  message->tag = attached.worker.begin_work();
  counts_.bytes_out += message->body.size();
  if (!face.encryption || message->type == MessageType::event) {
    face.outgoing.push_back(std::move(*message));
  } else {
    face.encryption->add(std::move(*message), method.empty() ? mesh::name_of_describe : method, turn_began_);
  }
  return true;
}

/// What encryption has let through, or has refused.
void RingLoop::send_encrypted(Face& face) {
  if (!face.encryption) return;
  for (const auto& [message, error] : face.encryption->take_output(face.outgoing)) {
    if (mesh_authorizer_ && mesh_authorizer_->refused(message.correlation_id, error.description)) continue;
    const auto to = face.addresses.open(message.correlation_id);
    if (!to) continue;
    if (Attached* const attached = find({to->slot, to->generation})) attached->worker.settle(message.tag);
    deliver(refusal(*to, error.name, error.description), {});
  }
}

}  // namespace nuropb::meshd
