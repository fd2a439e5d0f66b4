#pragma once
// The topic patterns that are wanted on the events exchange, and those that were sent to the broker. Patterns are bound
// and unbound at run time, from any thread, and sent again to a broker that may have lost them.
//
// Pending changes are the difference of two sets, so repeated requests do not accumulate, and a pattern that is added
// and removed while the broker is unavailable is never sent.

#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/result.hpp"

namespace nuropb::mesh {

class EventBindings {
 public:
  explicit EventBindings(std::size_t most) : most_(most) {}

  // Any thread. Returns true if there is a change to send to the broker.
  Result<bool> bind(std::string pattern);
  bool unbind(const std::string& pattern);
  /// True if a pattern is bound or has to be bound or unbound, so that an events queue is needed.
  [[nodiscard]] bool needed() const;

  // The transport's thread.
  struct Change {
    std::string pattern;
    bool bind = false;
  };
  /// Up to `most` changes, unbinds first. They count as sent from here on.
  std::vector<Change> take(std::size_t most);
  /// The queue was declared again, or another process may have changed it: everything wanted has to be sent again, and
  /// anything else that the broker may have bound has to be unbound. `unanswered` are changes that were never answered.
  void retell(const std::vector<Change>& unanswered);
  /// The queue is unchanged, but these changes were lost on their way to the broker and have to be sent again.
  void again(const std::vector<Change>& lost);
  /// The broker has answered a bind. Returns true if the pattern is still wanted, so that its subscribers can be
  /// notified.
  bool answered(const std::string& pattern);
  /// Patterns that were requested again while still bound: they are bound without another request to the broker.
  std::vector<std::string> take_bound();
  /// The broker refuses this pattern: it is no longer wanted.
  void refused(const std::string& pattern);
  /// The broker refuses the queue itself: nothing is wanted any more. Returns the patterns that were wanted.
  std::vector<std::string> refuse_all();

 private:
  using Set = std::set<std::string>;  // ordered, because untrusted clients choose the patterns
  const std::size_t most_;
  mutable std::mutex mutex_;
  Set wanted_;
  Set told_;   // the broker has these, or will have them
  Set bound_;  // the subset that the broker has confirmed
  std::vector<std::string> bound_again_;
  Set maybe_;  // possibly bound: a previous connection's broker had these
  Set to_bind_, to_unbind_;
};

}  // namespace nuropb::mesh
