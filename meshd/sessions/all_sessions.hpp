#pragma once
// The sessions of all workers, and those that wait for their clients. Knows where they are and owns none. Owner thread: the event
// loop.

#include <cstdint>
#include <functional>

#include "meshd/mailbox.hpp"
#include "meshd/session_table.hpp"
#include "meshd/workers/worker_port.hpp"

namespace nuropb::meshd {

class AllSessions {
 public:
  AllSessions(WorkerPort& workers, SessionTable& detached, const Mailboxes& mailboxes)
      : workers_(workers), detached_(detached), mailboxes_(mailboxes) {}

  /// The session of a socket; nullptr if it or its worker is gone.
  [[nodiscard]] Session* find(WorkerId id, std::uint32_t slot, std::uint32_t serial) const {
    Worker* const worker = workers_.find(id);
    return worker ? worker->sessions().find(slot, serial) : nullptr;
  }
  /// work(Worker*, WorkerId, slot, Session&). A session that is detached has no worker: nullptr, numbered_worker.
  template <class Work>
  void each(Work&& work) const {
    workers_.each([&](Worker& worker) {
      worker.sessions().each([&](std::uint32_t slot, Session& session) { work(&worker, worker.id(), slot, session); });
    });
    detached_.each([&](std::uint32_t slot, Session& session) { work(nullptr, numbered_worker, slot, session); });
  }
  /// The tables, in the order of the workers' ids. The last, under numbered_worker, stands for all sessions whose messages are
  /// numbered, if there are any.
  void each_table(const std::function<void(WorkerId, SessionTable&)>& work) const {
    workers_.each([&](Worker& worker) { work(worker.id(), worker.sessions()); });
    if (mailboxes_.count() > 0) work(numbered_worker, detached_);
  }

 private:
  WorkerPort& workers_;
  SessionTable& detached_;
  const Mailboxes& mailboxes_;
};

}  // namespace nuropb::meshd
