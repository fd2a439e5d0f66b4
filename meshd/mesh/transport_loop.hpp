#pragma once
// Private to the transport: the thread that owns the connection.
//
//            ┌────────────── connection lost, or refused ──────────────┐
//            ▼                                                         │
//      connecting ──► (declare topology) ──► ready ◄──► blocked ──► away ──► back-off ──┐
//            ▲                                                                          │
//            └──────────────────────────────────────────────────────────────────────────┘
//      any ──► stopped: stop() was called, or the broker refused permanently (403, 404 on what we declare or use)
//      ready ──► ready: with new credentials, over a second connection (transport_connect.cpp)
//
// One turn while connected: take the inboxes; publish one message of each participant in turn, then acknowledge, while
// there is room; read frames within a budget; call on_batch_end; sleep on the socket and the inboxes only if nothing is
// left to do.
//
// Wake-ups cost more than the work itself, for us, for the threads that we wake, and for the broker. So small work is
// coalesced: acknowledgements of responses and notifications of confirmed requests wait for at most `coalescing_time`; and
// while many messages are in flight, a turn is followed by a pause that is short compared to their latency, so that the
// next turn finds more to do (bench/README.md has the measurements).
//
// Participants share the connection, its state and this thread. A Participant holds everything else, so that a full
// queue, or a channel that is being reopened, affects no other participant.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "common/log_pause.hpp"
#include "common/scheduling_by_load.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/assembler.hpp"
#include "meshd/mesh/broker_bounds.hpp"
#include "meshd/mesh/declarations.hpp"
#include "meshd/mesh/event_bindings.hpp"
#include "meshd/mesh/majority_look.hpp"
#include "meshd/mesh/out_queue.hpp"
#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/secret_file.hpp"
#include "meshd/mesh/topology.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/mesh/transport_inbox.hpp"
#include "meshd/mesh/trial_queue.hpp"
#include "meshd/mesh/unconfirmed.hpp"
#include "meshd/mesh/unsettled.hpp"

namespace nuropb::mesh {

class TransportLoop {
 public:
  struct Participant {
    Participant(std::size_t number, const TransportSettings& shared, ParticipantSettings own,
                Transport::Callbacks callbacks, std::shared_ptr<shm::UniqueFd> event, BrokerBounds& bounds);
    [[nodiscard]] std::uint16_t channel(std::uint16_t trade) const { return channel_of(number, trade); }

    const std::size_t number;
    const ParticipantSettings settings;
    const Transport::Callbacks callbacks;
    Topology topology;                            // changed by the thread, guarded by names_mutex
    const std::shared_ptr<TransportInbox> inbox;  // shared with Transport::Sender, which may outlive us
    EventBindings events;
    Refusals refusals;
    std::atomic<std::uint64_t> patterns_refused{0};

    [[nodiscard]] std::string response_queue() const {
      const std::lock_guard lock(names_mutex);
      return topology.response_queue;
    }
    void move_response_queue() {
      const std::lock_guard lock(names_mutex);
      topology.move_response_queue();
    }
    bool unanswered(const std::string& step) {
      const std::lock_guard lock(names_mutex);
      return topology.unanswered(step);
    }
    std::optional<std::string> learn(const amqp::Step& refused, const std::string& said) {
      const std::lock_guard lock(names_mutex);
      return topology.learn(refused, said);
    }
    mutable std::mutex names_mutex;

    // Used by the thread only.
    // When to set up the service's channel, which is closed until then.
    SteadyTime service_again_at = SteadyTime::max();
    TransportInbox::Work work;
    OutQueue queue;
    SteadyTime next_expiry_look{};
    Unconfirmed unconfirmed;
    TrialQueue trials;
    Unconfirmed trials_unconfirmed;
    // Whether their channels are open on this connection.
    bool trials_set_up = false, events_set_up = false, bindings_set_up = false;
    SteadyTime events_not_before{}, bindings_not_before{};
    [[nodiscard]] bool nothing_to_publish() const { return queue.empty() && trials.empty(); }
    [[nodiscard]] std::size_t on_their_way() const { return unconfirmed.size() + trials_unconfirmed.size(); }
    std::vector<TransportInbox::Settlement> settlements;  // waiting for messages submitted before them
    bool something_ran = false;
    bool confirmed_requests = false;  // confirmations of requests arrived, which no one waits for, and nothing else
  };

  explicit TransportLoop(TransportSettings settings);
  ~TransportLoop();

  /// Before start().
  Participant& add(ParticipantSettings settings, Transport::Callbacks callbacks);
  void start();
  Result<void> wait_ready(milliseconds timeout);
  void stop(milliseconds grace);
  [[nodiscard]] State state() const;
  [[nodiscard]] Transport::Counters counters(const Participant& of) const;

 private:
  // How often queued messages are checked for expiry while none can be sent.
  static constexpr auto expiry_look = milliseconds(100);
  // What ends a connection, and whether reconnecting makes sense.
  struct Ended {
    Error error;
    bool permanent = false;
    bool handover = false;  // the next connection is already open
  };

  void run();
  Ended serve();
  // transport_connect.cpp
  using Opened = Result<std::unique_ptr<amqp::Connection>>;
  Result<void> connect();
  Result<bool> declare_all();
  bool learn(const amqp::Step& refused, const std::string& said);
  void note_passed_over(const amqp::Connection& connection);
  void begin_opening(amqp::Url url);
  template <class Value>
  Value turn_until(std::future<Value>& ready);
  void back_off(bool after_success);
  void watch_secret();
  bool handed_over();
  // transport_loop.cpp
  void wait_turn(SteadyTime until);
  void set_state(State state, const std::string& detail);

  void take_inbox();
  void run_timers();
  Result<void> write();
  Result<void> publish_queued();
  Result<bool> publish_front(Participant& from, SteadyTime now);
  // transport_trials.cpp
  std::optional<std::pair<Outcome, std::string>> unsendable(const Outgoing& message, SteadyTime now);
  [[nodiscard]] bool fits_one_write(const Outgoing& message) const;
  bool put_on_trial(Participant& from);
  Result<void> publish_trials(Participant& from, SteadyTime now);
  Result<bool> write_trial(Participant& from, const Outgoing& message, SteadyTime now);
  void on_trial(Participant& from);
  void trial_closed(Participant& owner, std::uint16_t code, const std::string& why);
  void trials_lost(Participant& of, const std::string& why);
  void refused_by_broker(const BrokerBounds::Said& said, const std::string& why, std::string_view routing_key);
  // transport_publish.cpp
  void take_settlements();
  Result<void> tell_verdicts();
  Result<bool> read_frames();
  // transport_channels.cpp
  void channels_fresh();
  void channels_lost(const std::string& why);
  void event_bound(Participant& to, const std::string& pattern);
  void tell_events(Participant& of);
  void look_for_majority(SteadyTime now);
  Result<void> write_declarations();
  Result<void> on_method(const amqp_frame_t& frame);
  void channel_closed(std::uint16_t channel, std::uint16_t code, const std::string& why);
  Result<void> set_up_again(std::uint16_t channel, bool open);
  void consume_anew_later(std::uint16_t channel, const std::string& tag);
  void event_steps_failed(Participant& of, const std::vector<amqp::Step>& unanswered, std::uint16_t code,
                          const std::string& why);
  void bindings_failed(Participant& of, std::vector<amqp::Step> unanswered, std::uint16_t code, const std::string& why);
  void refuse_pattern(Participant& of, const std::string& pattern, const std::string& why);
  [[nodiscard]] bool may_publish(const Participant& who) const;
  [[nodiscard]] bool ours(std::uint16_t channel) const { return channel > 0 && channel < channels_.size(); }
  Participant& of(std::uint16_t channel) { return *participants_[participant_of(channel)]; }
  Unconfirmed& unconfirmed_of(std::uint16_t channel) {
    return trade_of(channel) == trial_channel ? of(channel).trials_unconfirmed : of(channel).unconfirmed;
  }
  // transport_messages.cpp
  Result<void> on_frame(const amqp_frame_t& frame);
  void on_message(std::uint16_t channel, AssembledMessage&& message);
  void refuse(Participant& to, const Incoming& message, const Malformed& why);
  void answer_refused(Participant& to, const Incoming& message, const Error& why);
  void expire_queued(Participant& of);
  void report(Participant& to, Outgoing&& message, Outcome outcome, const std::string& detail);
  template <class Says>
  [[nodiscard]] bool all_of(Says&& says) const {
    return std::all_of(participants_.begin(), participants_.end(), [&](const auto& one) { return says(*one); });
  }
  void end_batch();
  void expect_more();
  bool rest();
  void sleep(SteadyTime until, short watch_socket);
  void wake();
  [[nodiscard]] bool nothing_queued() const;
  [[nodiscard]] SteadyTime next_timer(SteadyTime latest) const;

  TransportSettings settings_;
  BrokerBounds bounds_;
  std::vector<std::unique_ptr<Participant>> participants_;  // at least the first
  std::thread thread_;

  mutable std::mutex state_mutex_;
  std::condition_variable state_changed_;
  State state_ = State::connecting;  // guarded by state_mutex_
  std::string detail_;               // guarded by state_mutex_

  // Used by the thread only.
  std::multimap<SteadyTime, std::function<void()>> timers_;
  std::unique_ptr<amqp::Connection> connection_;
  amqp::Url url_;  // of connection_, with the password in use
  /// A connection that is being opened, or is open with nothing declared on it.
  struct Next {
    amqp::Url url;
    std::future<Opened> opening;
    std::unique_ptr<amqp::Connection> connection;
  };
  Next next_;
  std::vector<std::string> passed_over_;  // addresses whose failure was already logged
  SecretFile secret_;
  bool secret_pending_ = false;  // a new secret was found that is not in use yet
  SteadyTime secret_look_at_{}, drain_until_{};
  bool holding_ = false;  // nothing more is published on connection_, but on next_
  Declarations declarations_;
  MajorityLook majority_;
  struct Channel {
    Assembler frames;
    std::uint32_t epoch = 0;
    Unsettled unsettled{};
  };
  std::vector<Channel> channels_;                     // by number; channel 0 carries no messages
  std::deque<SteadyTime> reopened_;                   // recent times when a channel was reopened
  std::vector<TransportInbox::Settlement> verdicts_;  // acknowledgements to be sent, merged where possible
  std::uint32_t epoch_ = 0;
  std::size_t next_url_ = 0;
  unsigned failures_ = 0;
  bool blocked_ = false;
  bool paused_ = false;
  SteadyTime coalesce_until_ = SteadyTime::max();  // when coalesced work must be sent at the latest
  bool moved_ = false;                             // something was published or received since the last pause
  bool look_again_ = false;                        // what arrived may allow something to be written
  bool trials_first_ = false;                      // alternates from turn to turn
  bool no_room_ = false;                           // something waits for room in the send buffer
  bool ended_for_good_ = false;
  std::optional<Ended> closed_;  // set when the broker has closed the connection or a channel
  SteadyTime stop_at_ = SteadyTime::max();
  std::atomic<std::int64_t> grace_ms_{0};
  /// Written by the thread, read by any.
  struct Counts {
    std::atomic<std::uint64_t> addresses_passed_over{0}, attempts{0}, connections{0}, handovers{0},
        refused_credentials{0}, channels_closed{0}, consumers_cancelled{0}, refused_size{0}, refused_topic{0},
        refused_otherwise{0}, refused_frame{0}, refused_interrupted{0}, queue_forms{0};
  };
  Counts counts_;
  log::Pause refusals_said_{std::chrono::seconds(10)};
  SystemClock clock_;
  SchedulingByLoad scheduling_{clock_};
  std::minstd_rand jitter_{std::random_device{}()};
};

}  // namespace nuropb::mesh
