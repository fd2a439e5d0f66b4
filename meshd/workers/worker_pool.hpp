#pragma once
// The attached workers, and their places in the event loop: their control sockets and doorbells are waited for here, what was sent
// to them is shown to them here, and here they are detached.
//
//   adopt() ──► attached ──► its doorbell rings ──► on_news()
//                        ──► flush(), at the end of each turn ──► on_room(), then those that broke the rules are detached
//                        ──► its control socket closes, it hangs, it breaks the rules ──► detach()
//
// Owner thread: the event loop. It must end before what its sessions hold places in.

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "meshd/timers.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class WorkerPool final : public WorkerPort {
 public:
  struct Callbacks {
    std::function<void(Worker&)> on_attached;
    /// Its doorbell rang, or it has attached: there may be records.
    std::function<void(Worker&)> on_news;
    /// It has closed its control socket: what lies in its ring is read to the end before it is detached.
    std::function<void(Worker&)> on_closed;
    /// It was flushed: there may be room for what had none.
    std::function<void(Worker&)> on_room;
    /// All were flushed; none of them is detached yet.
    std::function<void()> on_flushed;
    /// It is about to go, and its sessions with it.
    std::function<void(Worker&)> before_detach;
    std::function<void(WorkerId)> after_detach;
    /// Responses lie in return rings, or no client waits for them any more: the broker can be told.
    std::function<void()> acknowledge;
    std::function<void()> schedule_turn;
  };
  WorkerPool(boost::asio::io_context& io, Timers& timers, Callbacks callbacks);
  ~WorkerPool() override;

  /// A worker from here on.
  void adopt(Worker&& worker);
  /// Ends it. `kill`: its process, too. One that is gone already is no mistake.
  void detach(WorkerId id, const std::string& reason, bool kill);
  /// About once a second: our own sign of life, and an end for those that gave none for so many of ours.
  void beat(std::uint32_t hung_after);

  [[nodiscard]] Worker* find(WorkerId id) override;
  void each(const std::function<void(Worker&)>& work) override;
  void touch(Worker& worker) override;
  void flush() override;
  void schedule_turn() override { callbacks_.schedule_turn(); }

  [[nodiscard]] std::size_t size() const { return workers_.size(); }
  /// The worker of a process.
  [[nodiscard]] std::optional<WorkerId> worker_of(pid_t process) const;
  /// Something was sent and is not shown yet.
  [[nodiscard]] bool unflushed() const { return !dirty_.empty(); }
  [[nodiscard]] std::uint64_t killed() const { return killed_; }

 private:
  struct Attached;  // a worker and what waits for it
  void wait_for_end(Attached& attached);
  void on_control(WorkerId id);
  void wait_for_doorbell(Attached& attached);
  void on_doorbell(WorkerId id, std::size_t bells);
  [[nodiscard]] Attached* attached(WorkerId id);

  boost::asio::io_context& io_;
  Timers& timers_;
  Callbacks callbacks_;
  std::map<WorkerId, std::unique_ptr<Attached>> workers_;
  std::vector<Worker*> dirty_;  // with records that are not shown yet
  std::uint64_t killed_ = 0;
};

}  // namespace nuropb::meshd
