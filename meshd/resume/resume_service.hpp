#pragma once
// The protocol of sessions that can be resumed: a client asks for its messages to be numbered, says which it has seen, and takes its
// session up again from another socket.
//
//            keep                 socket lost, edge dead or drained              resume, from any edge
//   open ──────────► numbered ──────────────────────────────────────► detached ─────────────────────────► numbered
//                       │ ▲ take-over: its old socket gets 4503          │ window over, too many, ended for a cause
//                       └─┘                                              ▼ (gone)
//
// It also keeps the time: of requests whose edge may be gone when their deadline comes, and of sessions that wait for their clients.
// Owner thread: the event loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/records.hpp"
#include "meshd/faces.hpp"
#include "meshd/mailbox.hpp"
#include "meshd/request_deadline.hpp"
#include "meshd/resume/detached_sessions.hpp"
#include "meshd/resume/mailbox_delivery.hpp"
#include "meshd/sealed_tickets.hpp"
#include "meshd/sessions/response_sink.hpp"
#include "meshd/sessions/session_manager.hpp"
#include "meshd/sessions/subscription_manager.hpp"
#include "meshd/timers.hpp"
#include "meshd/workers/record_handler.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class ResumeService {
 public:
  struct Parts {
    const Config& config;
    const Clock& clock;
    Timers& timers;
    const SealedTickets& tickets;
    RequestDeadline deadline;
    Mailboxes& mailboxes;
    MailboxDelivery& delivery;
    DetachedSessions& detached;
    SessionManager& sessions;
    SubscriptionManager& subscriptions;
    const Faces& faces;
    WorkerPort& workers;
    ResponseSink& responses;
  };
  explicit ResumeService(Parts parts);

  /// What an edge says of a session that is open; `from` is the address of the record's response, `length` the record's.
  RecordResult handle(Worker& worker, const records::Resume& record, Session& session, const ReturnAddress& from,
                      std::size_t length);

  /// Closes the sockets whose mailboxes have evicted a message that their edges had not got. Their clients hear of it when they come
  /// again. At the end of each turn.
  void close_overrun();
  /// There is a deadline that may be the next one.
  void arm_timer();

  struct Counters {
    std::uint64_t resumed = 0, failed = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  RecordResult begin(Worker& worker, const records::Resume& record, Session& session, const ReturnAddress& from,
                     std::size_t length);
  RecordResult number_again(Worker& worker, const records::Resume& record, Session& session);
  void await_again(const records::Resume& record, Session& session, const ReturnAddress& from);
  RecordResult say(Worker& worker, const records::Resume& record, Session& session);
  void number_messages(WorkerId worker, std::uint32_t slot, Session& session, std::uint64_t last);
  void keep_messages(Worker& worker, const records::Resume& record, Session& session, const ReturnAddress& from);
  void resume(Worker& worker, const records::Resume& record, Session& fresh, const ReturnAddress& from);
  std::unique_ptr<Session> take_over(Mailbox& box);
  void send_resumed(Worker& worker, const Session& session, std::uint64_t sequence);
  [[nodiscard]] std::string resume_json(std::string_view token) const;
  void expire();

  const Config& config_;
  const Clock& clock_;
  const SealedTickets& tickets_;
  RequestDeadline deadline_;
  Mailboxes& mailboxes_;
  MailboxDelivery& delivery_;
  DetachedSessions& detached_;
  SessionManager& sessions_;
  SubscriptionManager& subscriptions_;
  const Faces& faces_;
  WorkerPort& workers_;
  ResponseSink& responses_;
  Timers::Timer timer_;
  SteadyTime timer_at_ = SteadyTime::max();
  Counters counters_;
};

}  // namespace nuropb::meshd
