#pragma once
// How an edge ends, so that no client is surprised:
//
//   serving ── SIGTERM ──► announcing ── drain.grace_ms ──► draining ── all sockets closed, ──► finishing ── closing handshakes
//                          /readyz: not ready,              no new      or drain.limit_ms       sockets      done, or a time
//                          nothing else changes             sockets                             closed       limit
//
// While draining each socket works until its own time has come. These times are spread at random over drain.spread_ms, so that
// clients do not all reconnect at once. From then on a socket is `leaving`: its new requests are paused, and it closes with its
// last answer; at once if its session is resumable, because meshd keeps the answers.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/records.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class PendingRequests;
class SessionSlots;

class DrainController {
 public:
  struct Callbacks {
    /// The phase has changed to `announcing`.
    std::function<void()> on_announced;
    /// No new connections from now on.
    std::function<void()> stop_listening;
    /// Whether something beside the sockets and their requests has to end first: calls of backends, responses of callers.
    std::function<bool()> calls_pending;
    /// The time is over: whatever is pending ends with an unknown outcome.
    std::function<void()> interrupt_all;
    /// The edge may end.
    std::function<void()> on_drained;
  };

  DrainController(const Config::Drain& config, boost::asio::io_context& io, const Clock& clock,
                  const SessionSlots& slots, const PendingRequests& pending, Callbacks callbacks);

  /// Starts to wait for SIGTERM, SIGINT and SIGUSR2.
  void wait_for_signal();

  [[nodiscard]] bool serving() const { return phase_ == Phase::serving; }
  /// No new sessions and no new calls any more.
  [[nodiscard]] bool refusing() const { return phase_ >= Phase::draining; }
  /// Whether new requests of this session are processed.
  [[nodiscard]] bool accepts_from(ConsumerHandler& handler) const {
    return leaving_.empty() || !leaving_.contains(&handler);
  }
  /// Whether they are refused at once, since they can't be processed later.
  [[nodiscard]] bool refuses(const ConsumerHandler& handler) const {
    return phase_ == Phase::finishing || dismissed_ == &handler;
  }
  void on_closing(ConsumerHandler& handler) { leaving_.erase(&handler); }

 private:
  enum class Phase : std::uint8_t { serving, announcing, draining, finishing };
  void on_signal(int signal);
  void drain();
  void check();
  void dismiss(ConsumerHandler& handler);
  void finish();

  const Config::Drain& config_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer timer_;
  const Clock& clock_;
  const SessionSlots& slots_;
  const PendingRequests& pending_;
  Callbacks callbacks_;
  Phase phase_ = Phase::serving;
  SteadyTime until_{};  // when the present phase ends at the latest
  std::vector<std::pair<SteadyTime, records::SessionRef>>
      schedule_;                                  // when each socket begins to leave; last one first
  std::unordered_set<ConsumerHandler*> leaving_;  // sockets that have begun, and have something pending
  const ConsumerHandler* dismissed_ = nullptr;    // the one whose paused messages are being refused
};

}  // namespace nuropb::edge
