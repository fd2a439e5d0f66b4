#pragma once
// Who of a service's instances is its leader, and when an instance may consume: the decisions of the service container,
// without etcd, sockets or clocks. What happened goes in with the time, what is to be done comes out.
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
// What is different from 0.1.8, which leaves both transitions open: a follower that becomes the leader configures the
// broker; a leader whose lease has run out is a follower again, by its own clock and before etcd can give the key to
// another. Either goes on serving: to lead is a duty beside the service, not a condition of it.
//
// Pure and confined to one thread. MayConsume comes out once.

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
/// "running-leader", as the original writes it.
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

  // ── what happened ──
  struct Granted {
    std::int64_t lease;
    milliseconds ttl;
    SteadyTime asked_at;
  };
  struct KeptAlive {
    std::int64_t lease;
    milliseconds ttl;
    SteadyTime asked_at;
  };  ///< ttl 0: etcd knows the lease no more
  /// The answer to Nominate: who has the key now, and what else stands under the prefix.
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
  };  ///< watched: the key was put
  struct LeaderGone {};  ///< watched: the key was deleted, or its lease ran out
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
  };  ///< false: the key is another's by now
  struct EtcdFailed {
    enum class Doing { grant, nominate, keep_alive, publish } doing;
    Error why;
  };
  using Event = std::variant<Granted, KeptAlive, Nominated, LeaderIs, LeaderGone, ConfigOk, WatchEnded, Configured,
                             Published, EtcdFailed>;

  // ── what is to be done ──
  struct Grant {};  ///< a lease; then Granted or EtcdFailed
  struct KeepAlive {
    std::int64_t lease;
  };
  struct Nominate {
    std::int64_t lease;
  };  ///< put the key if nobody has it
  struct Watch {
    std::int64_t from_revision;
  };  ///< the prefix; a watch that is running ends without WatchEnded
  struct StopWatch {};
  struct Configure {};  ///< the broker; away from this thread; then Configured
  struct Publish {
    std::int64_t lease;
  };  ///< rmq-config-ok = True, if the key is still ours
  struct MayConsume {};
  struct Entered {
    ContainerState state;
    ContainerState from;
    std::string detail;
  };
  struct Trouble {
    std::string what;
    Error why;
  };  ///< worth a line in the log, once per outage
  struct Recovered {
    std::string detail;
  };
  struct Revoke {
    std::int64_t lease;
  };  ///< when stopping; nothing comes back
  using Action = std::variant<Grant, KeepAlive, Nominate, Watch, StopWatch, Configure, Publish, MayConsume, Entered,
                              Trouble, Recovered, Revoke>;

  explicit Election(Settings settings) : settings_(std::move(settings)) {}

  std::vector<Action> start(SteadyTime now);
  std::vector<Action> handle(const Event& event, SteadyTime now);
  /// Call it at next_tick(), or whenever.
  std::vector<Action> tick(SteadyTime now);
  /// Gives the key back. Then stopped(), once all is done.
  std::vector<Action> stop(SteadyTime now);
  std::vector<Action> stopped();
  [[nodiscard]] SteadyTime next_tick() const;

  [[nodiscard]] ContainerState state() const { return state_; }
  [[nodiscard]] bool leads() const { return leads_; }
  /// The leader's instance id as far as it is known.
  [[nodiscard]] const std::string& leader() const { return leader_; }

 private:
  /// How far we are with etcd.
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
  bool config_ok_ = false;    // what etcd says
  bool may_consume_ = false;  // said

  std::optional<std::int64_t> lease_;
  milliseconds ttl_{};
  SteadyTime lease_ends_{};  // by our clock, counted from when it was asked for: never later than etcd's
  SteadyTime keep_alive_at_{};
  bool keeping_alive_ = false;  // asked, not yet answered

  SteadyTime retry_at_{};  // Link::waiting
  unsigned failures_ = 0;
  bool troubled_ = false;  // an outage of etcd was told

  enum class Duty { none, configuring, waiting, to_publish, publishing, done } duty_ = Duty::none;  // the leader's
  bool configuring_ = false;  // Configure is out: it can't be called back, and its answer may come when we lead no more
  SteadyTime duty_at_{};      // Duty::waiting, Duty::to_publish
  unsigned duty_failures_ = 0;
  std::string duty_told_;  // the trouble that was told last
};

}  // namespace nuropb::mesh
