#pragma once
// The life cycle of a service around its transport: elects a leader among the service's instances with etcd, lets the
// leader configure the broker, and reports when this instance may consume. Election (election.hpp) makes the decisions;
// this class carries them out, on threads of its own:
//
//   container thread   one event after the other: into Election, and what comes out is done (calls to etcd, bounded)
//   watch thread       waits for etcd's next line ──► event
//   set-up thread      configures the broker ──► event
//
// No message passes through here: a service continues to serve whatever happens to etcd.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "meshd/etcd/client.hpp"
#include "meshd/mesh/election.hpp"

namespace nuropb::mesh {

class ServiceContainer {
 public:
  struct Settings {
    std::string instance_id;
    std::string prefix;                       ///< "/nuropb/<service>"
    milliseconds lease{15'000};               ///< whole seconds; etcd may grant a longer one
    etcd::Settings etcd;                      ///< no urls: standalone
    std::function<Result<void>()> configure;  ///< configures the broker; may block, runs on a thread of its own
  };
  struct Callbacks {
    std::function<void()> on_may_consume;  ///< called once, on the container's thread, or inside start() if standalone
    std::function<void(ContainerState state, const std::string& detail)> on_state;  ///< the same threads; may be empty
  };
  ServiceContainer(Settings settings, Callbacks callbacks);
  ~ServiceContainer();

  /// Returns at once.
  void start();
  /// Releases the leader key, so that another instance can lead without waiting for the lease to expire, and joins the
  /// threads. Waits for a call to etcd or the broker in progress, so at most for their timeouts.
  void stop();
  [[nodiscard]] ContainerState state() const;

 private:
  struct Heard {
    Election::Event event;
    unsigned watch = 0;  ///< the watch it came from; 0: none
  };
  void run();
  void hear(Election::Event event, unsigned watch = 0);
  void act(std::vector<Election::Action>&& actions);

  void act_on(const Election::Grant&);
  void act_on(const Election::KeepAlive&);
  void act_on(const Election::Nominate&);
  void act_on(const Election::Watch&);
  void act_on(const Election::StopWatch&);
  void act_on(const Election::Configure&);
  void act_on(const Election::Publish&);
  void act_on(const Election::MayConsume&);
  void act_on(const Election::Entered&);
  void act_on(const Election::Trouble&);
  void act_on(const Election::Recovered&);
  void act_on(const Election::Revoke&);
  void end_watch();

  Settings settings_;
  Callbacks callbacks_;
  etcd::Client etcd_;
  Election election_;  // used by the container thread only

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Heard> heard_;                         // guarded by mutex_
  bool stop_ = false;                               // guarded by mutex_
  ContainerState state_ = ContainerState::startup;  // guarded by mutex_

  std::thread thread_, watch_thread_, set_up_thread_;
  std::shared_ptr<etcd::Watch> watch_;
  unsigned watch_number_ = 0;
};

}  // namespace nuropb::mesh
