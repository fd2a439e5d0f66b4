#pragma once
// Tells a new meshd what its predecessor knew of each session: numbers of resumable sessions, subscriptions, standing calls.
//
// Owner thread: the edge's io_context.

#include "common/config.hpp"
#include "edge/link/record_sender.hpp"

namespace nuropb::edge {

class LinkBacklog;
class ResumeRelay;
class SnorkyRelay;
class TickTimer;
struct Sessions;

class SessionRestorer {
 public:
  SessionRestorer(const Config::Request& config, RecordSender& sender, LinkBacklog& backlog, Sessions& sessions,
                  const Clock& clock, TickTimer& timer, ResumeRelay& resume, SnorkyRelay& snorky)
      : max_ttl_(config.max_ttl_ms),
        sender_(sender),
        backlog_(backlog),
        sessions_(sessions),
        clock_(clock),
        timer_(timer),
        resume_(resume),
        snorky_(snorky) {}

  /// The session was accepted by a meshd that has not heard of it before. What finds no room follows later.
  void restore(ConsumerHandler& handler);

 private:
  bool write(ConsumerHandler& handler);
  bool write_subscriptions(ConsumerHandler& handler);

  milliseconds max_ttl_;
  RecordSender& sender_;
  LinkBacklog& backlog_;
  Sessions& sessions_;
  const Clock& clock_;
  TickTimer& timer_;
  ResumeRelay& resume_;
  SnorkyRelay& snorky_;
};

}  // namespace nuropb::edge
