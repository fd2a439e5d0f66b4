#pragma once
// All that passes something on between clients and meshd, wired together: records of meshd go to the relay of their type,
// events of sessions to all that keep something of them.
//
// Owner thread: the edge's io_context.

#include <array>

#include "edge/link/link_backlog.hpp"
#include "edge/link/record_receiver.hpp"
#include "edge/protocol/consumer_protocol.hpp"
#include "edge/relay/event_relay.hpp"
#include "edge/relay/push_relay.hpp"
#include "edge/relay/request_endings.hpp"
#include "edge/relay/request_recovery.hpp"
#include "edge/relay/request_relay.hpp"
#include "edge/relay/request_timings.hpp"
#include "edge/relay/resume_relay.hpp"
#include "edge/relay/session_presenter.hpp"
#include "edge/relay/session_restorer.hpp"
#include "edge/relay/snorky_relay.hpp"
#include "edge/relay/subscriptions.hpp"
#include "edge/sessions/session_events.hpp"

namespace nuropb::edge {

class Relays final : public SessionEvents {
 public:
  struct Surroundings {
    const Config& config;
    const SessionContext& context;
    RecordSender& sender;
    LinkBacklog& backlog;
    Sessions& sessions;
    DrainController& drain;
    CachedClock& clock;
    TickTimer& timer;
  };
  explicit Relays(const Surroundings& around);

  // SessionEvents
  void on_first_message(ConsumerHandler& handler, std::string_view text) override;
  std::optional<SteadyTime> on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) override;
  void on_paused(ConsumerHandler& handler) override;
  void on_resuming(ConsumerHandler& handler) override;
  void on_resumed(ConsumerHandler& handler) override;
  void on_closing(ConsumerHandler& handler) override;
  void on_closed(ConsumerHandler& handler, bool lost) override;

  /// The session of a connection that was admitted.
  std::unique_ptr<Receiver> open(Connection& connection, NewSession session) {
    return presenter_.open(connection, std::move(session));
  }

  /// Adds a row for each record that a relay handles.
  void receive_from(RecordReceiver& receiver);
  void on_attached(bool same_address);
  void on_lost(const MeshLink::Lost& lost);
  /// All records that were in the return ring have been handled.
  void on_batch_end() { timings_.on_batch_end(); }
  /// There is room in the request ring again, or the state of the broker has changed.
  void on_change();
  void expire(SteadyTime now) { endings_.expire(now); }
  /// The edge ends: the outcome of all pending requests is unknown.
  void interrupt_all() { endings_.interrupt_all(); }

 private:
  Surroundings around_;
  RequestTimings timings_;
  Subscriptions subscriptions_;
  ResumeRelay resume_;
  EventRelay events_;
  RequestRelay requests_;
  SnorkyRelay snorky_;
  RequestEndings endings_;
  RequestRecovery recovery_;
  SessionRestorer restorer_;
  SessionPresenter presenter_;
  PushRelay pushes_;
  std::array<MessageRelay*, ConsumerProtocol::count> by_protocol_;
};

}  // namespace nuropb::edge
