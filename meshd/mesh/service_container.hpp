#pragma once
// A service's life around its transport: elects a leader among the service's instances with etcd, has the leader
// configure the broker, and says when this instance may consume. The decisions are election.hpp's; this is what is done
// about them, on threads of its own:
//
//   container thread   one event after the other: into Election, and what comes out is done (calls to etcd, bounded)
//   watch thread       waits for etcd's next line ──► event
//   set-up thread      configures the broker ──► event
//
// Nothing here is on the way of a message: whoever serves goes on, whatever etcd does.

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
    milliseconds lease{15'000};               ///< whole seconds; etcd may grant more
    etcd::Settings etcd;                      ///< no urls: standalone
    std::function<Result<void>()> configure;  ///< the broker; blocks as long as it takes, on a thread of its own
  };
  struct Callbacks {
    std::function<void()> on_may_consume;  ///< once; on the container's thread, or inside start() if standalone
    std::function<void(ContainerState state, const std::string& detail)> on_state;  ///< the same threads; may be empty
  };
  ServiceContainer(Settings settings, Callbacks callbacks);
  ~ServiceContainer();

  /// Returns at once.
  void start();
  /// Gives the leader key back, so that another leads without waiting for the lease; joins the threads. Waits for a call
  /// to etcd or to the broker that is under way, so at most for their timeouts.
  void stop();
  [[nodiscard]] ContainerState state() const;

 private:
  struct Heard {
    Election::Event event;
    unsigned watch = 0;  ///< of which watch; 0: of none
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
  Election election_;  // the container thread's

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Heard> heard_;                         // under mutex_
  bool stop_ = false;                               // under mutex_
  ContainerState state_ = ContainerState::startup;  // under mutex_

  std::thread thread_, watch_thread_, set_up_thread_;
  std::shared_ptr<etcd::Watch> watch_;
  unsigned watch_number_ = 0;
};

}  // namespace nuropb::mesh
