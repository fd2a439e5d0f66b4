#pragma once
// Resumable sessions (design.md, Resume). meshd alone numbers and keeps their messages and measures their time, because this
// process may die; the edge passes them on in the order in which they come.
//
// What the edge itself has to tell about a request that meshd may have processed (meshd died over it) goes to meshd first, which
// numbers it: a client that resumes elsewhere gets it as well. An answer that says that a request was never sent has no number,
// so a client that resumes does not get it.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/records.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/sessions/pending_requests.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class LinkBacklog;
class RequestTimings;
class Subscriptions;
struct ClientRequest;
struct Sessions;

class ResumeRelay {
 public:
  ResumeRelay(RecordSender& sender, LinkBacklog& backlog, Sessions& sessions, const Clock& clock,
              Subscriptions& subscriptions, RequestTimings& timings)
      : sender_(sender),
        backlog_(backlog),
        sessions_(sessions),
        clock_(clock),
        subscriptions_(subscriptions),
        timings_(timings) {}

  /// Of the verbs resume and ack: true if the message needs no request to meshd, or was answered.
  bool process(ConsumerHandler& handler, const ClientRequest& message);
  void on_numbered(const shm::RecordHeader& header, const records::Numbered& record);
  void on_resumed(const shm::RecordHeader& header, const records::Resumed& record);

  /// Sends the client a message that may not get lost: of a resumable session, by way of meshd. With the sequence of the request
  /// that it answers, if the answer came from a new meshd, which may still read that the request is pending.
  void send(ConsumerHandler& handler, std::string_view text, std::optional<std::uint64_t> sequence = {});
  /// Sends meshd the messages that it has to number, once it knows the session.
  void send_unsaid(ConsumerHandler& handler);

  /// Tells a new meshd what it has to know of a resumable session. False if there was no room: then the rest goes later, and
  /// nothing goes twice, because it might be answered by then.
  bool restore(ConsumerHandler& handler);
  /// meshd measures the time of requests of resumable sessions, so that a request has one outcome wherever its client is by then.
  void leave_time_to_meshd(const ConsumerHandler& handler, PendingRequest& request);
  /// meshd is lost, and with it what it kept.
  void on_lost(ConsumerHandler& handler);
  /// A session that meshd does not know completely must not be resumed.
  void on_closing(ConsumerHandler& handler);

 private:
  bool write_unsaid(ConsumerHandler& handler);

  RecordSender& sender_;
  LinkBacklog& backlog_;
  Sessions& sessions_;
  const Clock& clock_;
  Subscriptions& subscriptions_;
  RequestTimings& timings_;
};

}  // namespace nuropb::edge
