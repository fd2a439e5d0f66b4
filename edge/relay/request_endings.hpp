#pragma once
// How pending requests end without an answer: by their deadline, by the loss of meshd, by the end of the edge, or with their
// session. Each ends once, and the client is told in its protocol.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <string>

#include "common/clock.hpp"
#include "edge/link/record_sender.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/sessions/pending_requests.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class RequestTimings;
class ResumeRelay;
struct Sessions;

class RequestEndings {
 public:
  RequestEndings(RecordSender& sender, Sessions& sessions, RequestTimings& timings, ResumeRelay& resume)
      : sender_(sender), sessions_(sessions), timings_(timings), resume_(resume) {}

  /// Ends all requests whose deadline has passed.
  void expire(SteadyTime now);
  /// The outcome of this request is not known, because meshd is lost.
  void lose(std::uint64_t sequence);
  /// The outcome of all requests is not known, because the edge ends. Those of resumable sessions are left to meshd, which answers
  /// them when their clients resume.
  void interrupt_all();
  /// The session ends while these are pending. Of a resumable session meshd has them, and answers when its client resumes.
  void abandon(ConsumerHandler& handler);

 private:
  void interrupt(ConsumerHandler& handler, const PendingRequests::Taken& taken, ConsumerProtocol::Interruption why);
  void time_out(ConsumerHandler& handler, const PendingRequests::Taken& taken);

  RecordSender& sender_;
  Sessions& sessions_;
  RequestTimings& timings_;
  ResumeRelay& resume_;
  std::string text_;  // reused for every answer
};

}  // namespace nuropb::edge
