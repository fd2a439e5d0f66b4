#pragma once
// A thread pool for slow parts of authentication: signatures, and queries to other servers.
//
// The queue is bounded: under a flood of tokens each further one costs a refusal and no memory. Work gets the index of
// its thread, so that each thread can have a connection of its own.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nuropb::meshd {

class AuthThreadPool {
 public:
  using Work = std::function<void(std::size_t thread)>;
  AuthThreadPool(std::size_t threads, std::size_t bound) : count_(threads), bound_(bound) {}
  ~AuthThreadPool() { stop(); }

  void start();
  /// Waits for work in progress; queued work is dropped. No work is accepted afterwards.
  void stop();
  /// Returns false if the queue is full. Any thread. Work must not throw.
  bool add(Work work);
  [[nodiscard]] std::size_t threads() const { return count_; }

 private:
  void run(std::size_t thread);
  std::size_t count_, bound_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Work> queue_;  // guarded by mutex_
  bool stopped_ = false;    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace nuropb::meshd
