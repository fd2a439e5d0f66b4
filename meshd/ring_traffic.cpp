// The traffic of the ring loop: requests out of rings, answers into them.

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>

#include "common/close_codes.hpp"
#include "common/crash_points.hpp"
#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "meshd/attached.hpp"
#include "meshd/ring_loop.hpp"

namespace nuropb::meshd {
namespace {

// What one worker may have read in one turn before the next one's turn comes.
constexpr int turn_records = 256;
constexpr std::size_t turn_bytes = 1U << 20;
// Edges look for a new meshd every 50 ms.
constexpr auto wait_for_edges = std::chrono::seconds(3);
constexpr std::size_t most_for_absent = 32U << 20;

shm::BrokerState word_for(mesh::State state) {
  switch (state) {
    case mesh::State::ready: return shm::BrokerState::ready;
    case mesh::State::blocked: return shm::BrokerState::blocked;
    case mesh::State::connecting:
    case mesh::State::away:
    case mesh::State::stopped: break;
  }
  return shm::BrokerState::away;
}

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
  for (int records = 0; records < turn_records && bytes < turn_bytes; ++records) {
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
      tap(type, *record, *session, from);
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
        if (!Peers::reserved(event.topic) && session.policy.allows_topic(Use::event, event.topic)) {
          measure_read(attached, from, event.origin);
          const auto send = [&](const records::Event& record) {
            return publish(attached, face(session), to_outgoing(record, session, from, turn_began_, request_settings_));
          };
          if (!spans_ && !log::enabled(log::Level::debug)) return send(event);
          records::Event changed = event;
          const std::string parent =
              begin_span(type, event.topic, {}, session, from, event.trace_id, event.origin, event.deadline_ms);
          changed.origin.traceparent = parent;
          return send(changed);
        }
        worker.settle(worker.begin_work());
        deliver(refusal(from, error_name::authorization,
                        "Topic " + std::string(event.topic) + ": this user may not publish to it (policy)"),
                {});
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
      return with(records::decode<records::Subscription>(payload),
                  [&](const records::Subscription& record, Session& session, const ReturnAddress& from) {
                    worker.settle(worker.begin_work());
                    const auto number = session.mailbox ? mailboxes_.find(from).pending : 0;
                    const ReturnAddress asker =
                        session.mailbox ? face(session).address(numbered_worker, session.mailbox->id(), number) : from;
                    if (type == records::Type::subscribe) subscribe(record, session, asker);
                    else unsubscribe(record, session, asker);
                    return true;
                  });
    default:
      return with(records::decode<records::Request>(payload), [&](const records::Request& request, Session& session,
                                                                  const ReturnAddress& from) {
        auto refused = refused_by_policy(type, request, session, from);
        if (!refused) {
          measure_read(attached, from, request.origin);
          const auto send = [&](const records::Request& record) {
            return publish(attached, face(session),
                           to_outgoing(type, record, session, from, turn_began_, request_settings_), record.method);
          };
          if (!spans_ && !log::enabled(log::Level::debug)) return send(request);
          records::Request changed = request;
          const std::string parent = begin_span(type, request.service, request.method, session, from, request.trace_id,
                                                request.origin, request.deadline_ms);
          changed.origin.traceparent = parent;
          return send(changed);
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
  if (session.policy.allows(use, request.service, request.method)) return {};
  return refusal(from, error_name::authorization,
                 "Service " + std::string(request.service) +
                     (use == Use::describe ? "" : ", method " + std::string(request.method)) + ": this user may not " +
                     (use == Use::command    ? "command"
                      : use == Use::describe ? "describe"
                                             : "request") +
                     " it (policy)");
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
  auto output = face.encryption->take_output();
  std::move(output.send.begin(), output.send.end(), std::back_inserter(face.outgoing));
  for (const auto& [message, error] : output.refused) {
    if (mesh_authorizer_ && mesh_authorizer_->refused(message.correlation_id, error.description)) continue;
    const auto to = ReturnAddress::parse(message.correlation_id);
    if (!to) continue;
    if (Attached* const attached = find({to->slot, to->generation})) attached->worker.settle(message.tag);
    deliver(refusal(*to, error.name, error.description), {});
  }
}

void RingLoop::on_events(Face& face) {
  ServiceMeshManager::Events events = face.manager.take_events();
  const SteadyTime now = moment_ = clock_.now();
  counts_.responses += events.responses.size();
  counts_.events += events.events.size();
  for (const auto& change : events.states) {
    if (word_for(change.state) == shm::BrokerState::away) face.peers.disconnected();
    if (&face == &web()) on_state(change);  // of the one connection
  }
  for (mesh::Report& report : events.reports) on_report(face, std::move(report), now);
  for (mesh::Incoming& message : events.responses) {
    counts_.bytes_in += message.body.size();
    const ServiceMeshManager::Receipt receipt = message.delivery;
    NUROPB_CRASH_POINT(answer_heard);
    if ((face.encryption && face.encryption->open(message, now)) ||
        (mesh_authorizer_ && mesh_authorizer_->take(message))) {
      delivered(receipt);
      continue;
    }
    auto returned = to_returned(message, face.instance, config_.limits.message_bytes, config_.limits.json_depth);
    if (log::enabled(log::Level::debug))
      log::debug("answer", {{"trace_id", message.trace_id}, {"taken", returned.has_value()}});
    if (returned) deliver(std::move(*returned), receipt);
    else delivered(receipt);  // nobody here asked for it
  }
  send_encrypted(face);
  for (const auto& news : events.patterns) on_pattern(face, news);
  for (const mesh::Incoming& message : events.events) {
    counts_.bytes_in += message.body.size();
    on_mesh_event(face, message);
  }
  flush_touched();
  if (!turn_order_.empty() || outgoing()) schedule_turn();
}

void RingLoop::on_report(Face& face, mesh::Report&& report, SteadyTime now) {
  NUROPB_CRASH_POINT(report_heard);
  ++counts_.reports[static_cast<std::size_t>(report.outcome)];
  if (face.encryption && face.encryption->open(report, now)) return;
  if (mesh_authorizer_ && mesh_authorizer_->take(report)) return;
  if (const auto to = ReturnAddress::parse(report.correlation_id); to && to->instance == face.instance) {
    if (Attached* attached = find({to->slot, to->generation})) {
      attached->worker.settle(report.tag);
      measure_report(*attached, *to, report);
      touch(*attached);
    }
  }
  if (auto returned = to_returned(report, face.instance)) deliver(std::move(*returned), {});
}

void RingLoop::deliver(Returned&& returned, std::optional<ServiceMeshManager::Receipt> receipt) {
  if (taps_.watching()) [[unlikely]]
    tap_answer(returned);
  Attached* const attached = find({returned.to.slot, returned.to.generation});
  if (attached) {
    const records::Stages stages = measure_answer(*attached, returned.to, receipt.has_value());
    if (stages.taken_us > 0) records::set_stages(returned.payload, stages);
    if (spans_) end_span(returned, stages);
  }
  if (mailboxes_.count() > 0 && deliver_numbered(returned)) {
    if (receipt) delivered(*receipt);
    return;
  }
  if (!attached) {
    if (receipt && keep_for_absent(returned, *receipt)) return;
    // The edge that asked is dead, or a successor has its slot: the generation keeps the answer from it.
    if (receipt) delivered(*receipt);
    return;
  }
  touch(*attached);  // it is flushed, or ended, once nobody holds on to it any more
  if (attached->worker.send(records::Type::response, returned.to.sequence, std::move(returned.payload), receipt))
    return;
  if (receipt) delivered(*receipt);
  attached->worker.violate("does not read its answers: " + std::to_string(attached->worker.outbox_bytes()) +
                           " bytes wait");
}

/// Answers that came while there was no meshd are here before the edges of the last one have found us: those are given
/// a while to come. Not acknowledged until then, so that the next meshd gets them should we die, too.
bool RingLoop::keep_for_absent(Returned& returned, ServiceMeshManager::Receipt receipt) {
  if (clock_.now() >= absent_until_ || absent_bytes_ + returned.payload.size() > most_for_absent) return false;
  absent_bytes_ += returned.payload.size();
  absent_.emplace_back(std::move(returned), receipt);
  return true;
}

void RingLoop::deliver_kept(WorkerId id) {
  std::vector<std::pair<Returned, ServiceMeshManager::Receipt>> kept;
  std::swap(kept, absent_);
  absent_bytes_ = 0;
  for (auto& [returned, receipt] : kept) {
    if (returned.to.slot == id.slot && returned.to.generation == id.generation) {
      deliver(std::move(returned), receipt);
      NUROPB_CRASH_POINT(kept_answer_delivered);
    } else if (!keep_for_absent(returned, receipt)) {
      delivered(receipt);
    }
  }
}

void RingLoop::drop_kept() {
  if (absent_.empty() || clock_.now() < absent_until_) return;
  for (const auto& [returned, receipt] : absent_) delivered(receipt);
  absent_.clear();
  absent_bytes_ = 0;
  web().manager.acknowledge();
}

void RingLoop::on_state(const ServiceMeshManager::StateChange& change) {
  if (leaving_) return;
  if (change.state == mesh::State::ready) log::info("broker ready", {{"detail", change.detail}});
  else log::warning("broker not ready", {{"detail", change.detail}});
  broker_ = change.state;
  if (broker_ == mesh::State::ready && absent_until_ == SteadyTime::max())
    absent_until_ = clock_.now() + wait_for_edges;
  for (auto& [id, attached] : workers_) {
    attached->worker.segments().set_broker(word_for(change.state));
    attached->worker.channel().ring();
  }
  if (change.state == mesh::State::stopped) {
    log::error("the broker refuses us for good", {{"detail", change.detail}});
    exit_code_ = 1;
    io_.stop();
  }
}

void RingLoop::touch(Attached& attached) {
  if (attached.touched) return;
  attached.touched = true;
  touched_.push_back(&attached);
}

void RingLoop::flush_touched() {
  std::vector<Attached*> touched;
  touched.swap(touched_);
  for (Attached* attached : touched) {
    attached->touched = false;
    attached->worker.flush();
    attached->worker.end_of_reading();
    hand_over_waiting(*attached);
  }
  close_overrun();
  for (Attached* attached : touched) {
    // Nothing was detached in the loop above, so every pointer is still good until its own turn here.
    if (!attached->worker.why().empty()) detach(attached->worker.id(), attached->worker.why(), true);
  }
  web().manager.acknowledge();
  NUROPB_CRASH_POINT(answers_acknowledged);
}

}  // namespace nuropb::meshd
