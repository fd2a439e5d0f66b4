#pragma once
// Threads beside the ring loop for what takes long: signatures, and questions to other servers.
//
// The queue is bounded: a flood of tokens costs a refusal each and no memory. Work gets the number of its thread, so
// that each thread can have a connection of its own.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nuropb::meshd {

class JudgingThreads {
 public:
  using Work = std::function<void(std::size_t thread)>;
  JudgingThreads(std::size_t threads, std::size_t bound) : count_(threads), bound_(bound) {}
  ~JudgingThreads() { stop(); }

  void start();
  /// Waits for the work under way; what is queued is dropped. Nothing is taken afterwards.
  void stop();
  /// False if the queue is full. Any thread. Work must not throw.
  bool add(Work work);
  [[nodiscard]] std::size_t threads() const { return count_; }

 private:
  void run(std::size_t thread);
  std::size_t count_, bound_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;  // under mutex_
  bool stopped_ = false;    // under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace nuropb::meshd
