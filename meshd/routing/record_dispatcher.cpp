#include "meshd/routing/record_dispatcher.hpp"

#include <type_traits>
#include <utility>

#include "common/json/scan.hpp"

namespace nuropb::meshd {
namespace {

/// What has to be true of a record, and is done before its handler is called.
enum Precondition : unsigned {
  none = 0,
  /// Its sequence fits into a ReturnAddress.
  short_sequence = 1,
  /// It gets exactly one response: its address is not in use, and the mailbox of a session whose messages are numbered awaits it.
  responded = 2,
  /// It counts against the rates of its user.
  rated = 4,
  /// Operators who watch are shown it, also if a limit or the policy refuses it.
  tapped = 8,
};
constexpr unsigned of_client = short_sequence | responded | rated | tapped;

}  // namespace

struct RecordDispatcher::Row {
  records::Type type;
  Rule closed, judging, open, ended;  // by the session's state
  unsigned needs;
  RecordResult (RecordDispatcher::*run)(const Arrived&, const Row&);

  [[nodiscard]] Rule in(SessionState state) const {
    switch (state) {
      case SessionState::closed: return closed;
      case SessionState::judging: return judging;
      case SessionState::open: return open;
      case SessionState::ended: return ended;
    }
    return Rule::violation;
  }
};

std::span<const RecordDispatcher::Row> RecordDispatcher::table() {
  using records::Type;
  using D = RecordDispatcher;
  constexpr Rule violation = Rule::violation, handle = Rule::handle, ignore = Rule::ignore;
  static constexpr Row rows[] = {
      // the most frequent first; type, closed, judging, open, ended, preconditions, handler
      {Type::request, violation, violation, handle, ignore, of_client, &D::of_session<records::Request, &D::request>},
      {Type::command, violation, violation, handle, ignore, of_client, &D::of_session<records::Request, &D::request>},
      {Type::describe, violation, violation, handle, ignore, of_client, &D::of_session<records::Request, &D::request>},
      {Type::event, violation, violation, handle, ignore, of_client, &D::of_session<records::Event, &D::event>},
      {Type::subscribe, violation, violation, handle, ignore, of_client,
       &D::of_session<records::Subscription, &D::subscription>},
      {Type::unsubscribe, violation, violation, handle, ignore, of_client,
       &D::of_session<records::Subscription, &D::subscription>},
      {Type::authorize, violation, violation, handle, ignore, of_client,
       &D::of_session<records::Authorize, &D::authorize>},
      {Type::resume, violation, violation, handle, ignore, short_sequence, &D::of_session<records::Resume, &D::resume>},
      {Type::snorky_call, violation, violation, handle, ignore, none,
       &D::of_session<records::SnorkyCall, &D::snorky_call>},
      {Type::open_session, handle, violation, violation, handle, none,
       &D::of_worker<records::OpenSession, &D::open_session>},
      {Type::close_session, ignore, handle, handle, handle, none,
       &D::of_worker<records::CloseSession, &D::close_session>},
      {Type::backend_call, handle, handle, handle, handle, none, &D::of_worker<records::BackendCall, &D::backend_call>},
      {Type::console_call, handle, handle, handle, handle, none, &D::of_worker<records::ConsoleCall, &D::console_call>},
      {Type::pushed, handle, handle, handle, handle, none, &D::of_worker<records::Pushed, &D::pushed>},
  };
  return rows;
}

const RecordDispatcher::Row* RecordDispatcher::row_of(records::Type type) {
  for (const Row& row : table()) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

RecordDispatcher::Rule RecordDispatcher::rule(records::Type type, SessionState state) {
  const Row* const row = row_of(type);
  return row ? row->in(state) : Rule::violation;
}

RecordResult RecordDispatcher::handle(Worker& worker, const shm::RecordHeader& header, const std::string& payload) {
  const Arrived arrived{worker, header, payload};
  const Row* const row = row_of(arrived.type());
  return row ? (this->*row->run)(arrived, *row) : RecordResult::violation("not for meshd");
}

/// A record of a session.
template <class Record, auto Handler>
RecordResult RecordDispatcher::of_session(const Arrived& arrived, const Row& row) {
  if ((row.needs & short_sequence) != 0 && arrived.header.sequence > ReturnAddress::max_sequence)
    return RecordResult::violation("its sequence has more than 40 bits");
  const auto record = records::decode<Record>(arrived.payload);
  if (!record) return RecordResult::violation("can't be decoded");
  Session* const session = arrived.worker.sessions().find(record->session, record->serial);
  if (!session) return RecordResult::violation("of a session that is not open");
  switch (row.in(session->state)) {
    case Rule::handle: break;
    case Rule::ignore: return RecordResult::handled();
    case Rule::violation: return RecordResult::violation("not allowed in this state of the session");
  }
  const ReturnAddress from =
      to_.faces.of(*session).address(arrived.worker.id(), record->session, arrived.header.sequence);
  if constexpr (requires { to_.taps.asked(arrived.type(), *record, *session, from); }) {
    if ((row.needs & tapped) != 0 && to_.taps.watching()) [[unlikely]]
      to_.taps.asked(arrived.type(), *record, *session, from);
  }
  if constexpr (requires { record->trace_id, record->deadline_ms; }) {
    if ((row.needs & responded) != 0) {
      if (auto result = await_response(arrived, *record, *session, from)) return std::move(*result);
    }
  }
  if ((row.needs & rated) != 0) {
    if (auto result = refuse_over_rates(arrived, *session, from)) return std::move(*result);
  }
  return (this->*Handler)(arrived, *record, *session, from);
}

template <class Record>
std::optional<RecordResult> RecordDispatcher::await_response(const Arrived& arrived, const Record& record,
                                                             Session& session, const ReturnAddress& from) {
  // Or what it is told would be told to the session whose request that is, wherever that is by now.
  if (to_.delivery.awaits(from)) return RecordResult::violation("its sequence is in use");
  if (!session.mailbox) return {};
  if (!record.trace_id.empty() && json::validate(record.trace_id, nullptr, {to_.config.limits.json_depth}))
    return RecordResult::violation("its trace_id is not JSON");
  std::string_view topic;
  if constexpr (std::is_same_v<Record, records::Subscription>) topic = record.topic;
  if (to_.delivery.await(session, arrived.type(), from, record.trace_id, to_.deadline.of(record.deadline_ms), topic))
    return {};
  to_.responses.respond(MailboxDelivery::too_many(from));
  return RecordResult::handled();
}

std::optional<RecordResult> RecordDispatcher::refuse_over_rates(const Arrived& arrived, Session& session,
                                                                const ReturnAddress& from) {
  const bool unsubscribes = arrived.type() == records::Type::unsubscribe;
  const auto over = to_.sessions.over_rates(session, arrived.header.length, arrived.type() == records::Type::subscribe);
  // Its edge has forgotten the topic by now, so unsubscribing is never refused while the session goes on.
  if (!over || (unsubscribes && !over->end_session)) return {};
  to_.responses.respond(over_limit(from, over->why));
  to_.sessions.end_over_rates(arrived.worker, from.session, session, *over);
  return RecordResult::handled();
}

/// A record of the edge itself.
template <class Record, auto Handler>
RecordResult RecordDispatcher::of_worker(const Arrived& arrived, const Row& row) {
  const auto record = records::decode<Record>(arrived.payload);
  if (!record) return RecordResult::violation("can't be decoded");
  return (this->*Handler)(arrived, *record, row);
}

RecordResult RecordDispatcher::request(const Arrived& arrived, const records::Request& record, Session& session,
                                       const ReturnAddress& from) {
  return to_.requests.request(arrived.worker, arrived.type(), record, session, from);
}

RecordResult RecordDispatcher::event(const Arrived& arrived, const records::Event& record, Session& session,
                                     const ReturnAddress& from) {
  return to_.requests.event(arrived.worker, record, session, from);
}

RecordResult RecordDispatcher::subscription(const Arrived& arrived, const records::Subscription& record,
                                            Session& session, const ReturnAddress& from) {
  const records::Type type = arrived.type();
  const ReturnAddress asker = to_.delivery.asker(session, from);
  if (!record.trace_id.empty() && to_.tracing.on())
    (void)to_.tracing.begin(type, record.topic, {}, session, asker, record.trace_id, record.origin,
                            to_.deadline.of(record.deadline_ms));
  if (type == records::Type::subscribe) to_.subscriptions.subscribe(record, session, asker);
  else to_.subscriptions.unsubscribe(record, session, asker);
  return RecordResult::handled();
}

RecordResult RecordDispatcher::authorize(const Arrived& /*arrived*/, const records::Authorize& record, Session& session,
                                         const ReturnAddress& from) {
  to_.sessions.authorize(record, session, from);
  return RecordResult::handled();
}

RecordResult RecordDispatcher::resume(const Arrived& arrived, const records::Resume& record, Session& session,
                                      const ReturnAddress& from) {
  return to_.resume.handle(arrived.worker, record, session, from, arrived.header.length);
}

RecordResult RecordDispatcher::snorky_call(const Arrived& arrived, const records::SnorkyCall& record, Session& session,
                                           const ReturnAddress& from) {
  return to_.snorky.client_call(arrived.worker, arrived.header, record, session, from);
}

RecordResult RecordDispatcher::open_session(const Arrived& arrived, const records::OpenSession& record,
                                            const Row& row) {
  Session* const session = arrived.worker.sessions().find(record.session);
  if (!session) return RecordResult::violation("more sessions than limits.connections");
  if (row.in(session->state) != Rule::handle) return RecordResult::violation("a session is opened twice");
  to_.sessions.open(arrived.worker, record, *session);
  return RecordResult::handled();
}

RecordResult RecordDispatcher::close_session(const Arrived& arrived, const records::CloseSession& record,
                                             const Row& row) {
  Session* const session = arrived.worker.sessions().find(record.session, record.serial);
  if (session && row.in(session->state) == Rule::handle) to_.sessions.closed(arrived.worker, record, *session);
  return RecordResult::handled();
}

RecordResult RecordDispatcher::backend_call(const Arrived& arrived, const records::BackendCall& record,
                                            const Row& /*row*/) {
  return to_.snorky.backend_call(arrived.worker, arrived.header, record);
}

RecordResult RecordDispatcher::console_call(const Arrived& arrived, const records::ConsoleCall& record,
                                            const Row& /*row*/) {
  to_.on_console_call(arrived.worker.id(), arrived.header.sequence, record);
  return RecordResult::handled();
}

RecordResult RecordDispatcher::pushed(const Arrived& arrived, const records::Pushed& record, const Row& /*row*/) {
  return to_.pusher.on_pushed(arrived.worker, record) ? RecordResult::handled()
                                                      : RecordResult::violation("a count that nobody asked for");
}

}  // namespace nuropb::meshd
