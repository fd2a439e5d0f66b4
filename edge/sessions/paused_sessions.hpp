#pragma once
// Sessions whose messages are paused, because meshd, the broker or the ring does not take them now. They are resumed when
// it does, or at the time when the sender of their first message stops waiting.
//
// Owner thread: the edge's io_context.

#include <functional>
#include <unordered_set>

#include "common/clock.hpp"

namespace nuropb::edge {

class ConsumerHandler;

class PausedSessions {
 public:
  void add(ConsumerHandler& handler) { paused_.insert(&handler); }
  void remove(ConsumerHandler& handler) { paused_.erase(&handler); }
  [[nodiscard]] bool empty() const { return paused_.empty(); }

  /// Resumes all for which `ready` is true.
  void resume(const std::function<bool(ConsumerHandler&)>& ready);
  /// Resumes those whose time is over, which ends their messages; and once a second closes those whose clients have left.
  void expire(SteadyTime now);

 private:
  void close_vanished();

  std::unordered_set<ConsumerHandler*> paused_;
  SteadyTime next_check_{};  // whether their clients are still there
};

}  // namespace nuropb::edge
