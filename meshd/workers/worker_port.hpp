#pragma once
// How the rest of meshd reaches the attached workers: finds them, and sends them records. The implementation is worker_pool.hpp;
// unit tests have one of their own.
//
// What is sent becomes visible to the edge when the turn at hand ends. Owner thread: the event loop.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "meshd/workers/worker.hpp"

namespace nuropb::meshd {

class WorkerPort {
 public:
  virtual ~WorkerPort() = default;
  /// nullptr: it is not attached, or not any more.
  [[nodiscard]] virtual Worker* find(WorkerId id) = 0;
  /// All of them, in the order of their ids. `work` must not detach any.
  virtual void each(const std::function<void(Worker&)>& work) = 0;
  /// Something was sent to it, or found wrong with it: it is flushed, or ended, when the turn at hand ends.
  virtual void touch(Worker& worker) = 0;
  /// There is a turn soon, whether or not there is something to read.
  virtual void schedule_turn() = 0;
  /// Makes visible what was sent until now, outside of a turn, and ends the workers that broke the rules.
  virtual void flush() = 0;

  /// Sends a record. A worker that has no room for it, although much waits for it already, is ended: it "does not read `what`".
  void send(Worker& worker, records::Type type, std::uint64_t sequence, std::string payload, std::string_view what) {
    touch(worker);
    if (!worker.send(type, sequence, std::move(payload)))
      worker.violate("does not read " + std::string(what) + ": " + std::to_string(worker.outbox_bytes()) +
                     " bytes wait");
  }
  /// The same outside of a turn, to a worker that may be gone: then its sockets are gone with it, and nothing is sent.
  void send(WorkerId id, records::Type type, std::uint64_t sequence, std::string payload) {
    Worker* const worker = find(id);
    if (!worker) return;
    send(*worker, type, sequence, std::move(payload), "what it is sent");
    schedule_turn();
  }
};

}  // namespace nuropb::meshd
