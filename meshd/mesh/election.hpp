#pragma once
// Leader election among a service's instances, and when an instance may consume: the decisions of the service
// container, without etcd, sockets or clocks. Events go in with the time, actions come out.
//
// The states are those of nuropb 0.1.8's ServiceContainer (nuropb-wire.md section 1, "Service container and leader
// election"):
//
//   startup ──► startup-leader-election ──► startup-leader-decided ──┬─ leads: Configure, put rmq-config-ok ──► running-leader
//      │        (lease, key, watch)          ▲    │                  └─ follows: rmq-config-ok is True ───────► running-follower
//      │                                     └────┘ the leader died before it was done                              │      ▲
//      └─ no etcd ──► running-standalone                                        leader key gone, and we got it      │      │ lease
//                                                                               ▼                                   │      │ lost
//   any ──► stopping ──► shutdown                             taking-leadership ◄───────────────────────────────────┘      │
//                                                                    └── Configure, put ──► running-leader ────────────────┘
//
// Differences from 0.1.8, which leaves both transitions undefined: a follower that becomes the leader configures the
// broker; a leader whose lease has expired becomes a follower, by its own clock and before etcd can give the key to
// another instance. Both continue to serve: being the leader is an additional duty, not a condition of serving.
//
// Pure and confined to one thread. MayConsume is emitted once.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"

namespace nuropb::mesh {

enum class ContainerState {
  startup,
  startup_leader_election,
  startup_leader_decided,
  taking_leadership,
  running_leader,
  running_follower,
  running_standalone,
  stopping,
  shutdown,
};
/// "running-leader", in the original's spelling.
const char* name_of(ContainerState state);

class Election {
 public:
  struct Settings {
    std::string instance_id;
    bool standalone = false;  ///< no etcd
    milliseconds lease{15'000};
    milliseconds retry_min{200};  ///< first pause after a failure; doubles
    milliseconds retry_max{5'000};
  };

  // ── events ──
  struct Granted {
    std::int64_t lease;
    milliseconds ttl;
    SteadyTime asked_at;
  };
  struct KeptAlive {
    std::int64_t lease;
    milliseconds ttl;
    SteadyTime asked_at;
  };  ///< ttl 0: the lease has expired
  /// The response to Nominate: the key's current owner, and the other values under the prefix.
  struct Nominated {
    std::int64_t lease;
    bool ours;
    std::string leader;
    bool config_ok;
    std::int64_t revision;
  };
  struct LeaderIs {
    std::string leader;
    std::int64_t lease;
  };  ///< watched: the key was set
  struct LeaderGone {};  ///< watched: the key was deleted, or its lease expired
  struct ConfigOk {
    bool ok;
  };  ///< watched
  struct WatchEnded {
    Error why;
  };
  struct Configured {
    Result<void> done;
  };
  struct Published {
    bool ours;
  };  ///< false: another instance owns the key by now
  struct EtcdFailed {
    enum class Doing { grant, nominate, keep_alive, publish } doing;
    Error why;
  };
  using Event = std::variant<Granted, KeptAlive, Nominated, LeaderIs, LeaderGone, ConfigOk, WatchEnded, Configured,
                             Published, EtcdFailed>;

  // ── actions ──
  struct Grant {};  ///< request a lease; then Granted or EtcdFailed
  struct KeepAlive {
    std::int64_t lease;
  };
  struct Nominate {
    std::int64_t lease;
  };  ///< create the key if it does not exist
  struct Watch {
    std::int64_t from_revision;
  };  ///< watch the prefix; a running watch ends without WatchEnded
  struct StopWatch {};
  struct Configure {};  ///< configure the broker on another thread; then Configured
  struct Publish {
    std::int64_t lease;
  };  ///< set rmq-config-ok = True if we still own the key
  struct MayConsume {};
  struct Entered {
    ContainerState state;
    ContainerState from;
    std::string detail;
  };
  struct Trouble {
    std::string what;
    Error why;
  };  ///< to be logged, once per outage
  struct Recovered {
    std::string detail;
  };
  struct Revoke {
    std::int64_t lease;
  };  ///< at shutdown; no event follows
  using Action = std::variant<Grant, KeepAlive, Nominate, Watch, StopWatch, Configure, Publish, MayConsume, Entered,
                              Trouble, Recovered, Revoke>;

  explicit Election(Settings settings) : settings_(std::move(settings)) {}

  std::vector<Action> start(SteadyTime now);
  std::vector<Action> handle(const Event& event, SteadyTime now);
  /// To be called at next_tick(); earlier calls are allowed.
  std::vector<Action> tick(SteadyTime now);
  /// Releases the key. Call stopped() once all actions are done.
  std::vector<Action> stop(SteadyTime now);
  std::vector<Action> stopped();
  [[nodiscard]] SteadyTime next_tick() const;

  [[nodiscard]] ContainerState state() const { return state_; }
  [[nodiscard]] bool leads() const { return leads_; }
  /// The leader's instance id, as far as it is known.
  [[nodiscard]] const std::string& leader() const { return leader_; }

 private:
  /// State of the connection to etcd.
  enum class Link { off, granting, nominating, watching, waiting };

  void on(const Granted& event, SteadyTime now);
  void on(const KeptAlive& event, SteadyTime now);
  void on(const Nominated& event, SteadyTime now);
  void on(const LeaderIs& event, SteadyTime now);
  void on(const LeaderGone& event, SteadyTime now);
  void on(const ConfigOk& event, SteadyTime now);
  void on(const WatchEnded& event, SteadyTime now);
  void on(const Configured& event, SteadyTime now);
  void on(const Published& event, SteadyTime now);
  void on(const EtcdFailed& event, SteadyTime now);

  void enter(ContainerState state, const std::string& detail);
  void connect();
  void wait(const std::string& what, const Error& why, SteadyTime now);
  void nominate();
  void decide(bool ours, const std::string& leader);
  void lose_lease(const std::string& why, SteadyTime now);
  void step_down(const std::string& why);
  void configure();
  void publish();
  void consume();
  void go_on();
  [[nodiscard]] bool with_etcd() const;
  [[nodiscard]] milliseconds pause(unsigned failures) const;
  std::vector<Action> take();

  Settings settings_;
  ContainerState state_ = ContainerState::startup;
  Link link_ = Link::off;
  std::vector<Action> out_;
  bool leads_ = false;
  std::string leader_;
  bool config_ok_ = false;    // the value in etcd
  bool may_consume_ = false;  // MayConsume was emitted

  std::optional<std::int64_t> lease_;
  milliseconds ttl_{};
  SteadyTime lease_ends_{};  // by our clock, counted from the request: never later than etcd's expiry
  SteadyTime keep_alive_at_{};
  bool keeping_alive_ = false;  // sent, not yet answered

  SteadyTime retry_at_{};  // Link::waiting
  unsigned failures_ = 0;
  bool troubled_ = false;  // an outage of etcd was reported

  enum class Duty { none, configuring, waiting, to_publish, publishing, done } duty_ = Duty::none;  // as leader
  // Configure is running. It cannot be cancelled, and may end when we are no longer the leader.
  bool configuring_ = false;
  SteadyTime duty_at_{};  // Duty::waiting, Duty::to_publish
  unsigned duty_failures_ = 0;
  std::string duty_told_;  // the last Trouble that was reported
};

}  // namespace nuropb::mesh
