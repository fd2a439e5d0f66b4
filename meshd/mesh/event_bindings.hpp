#pragma once
// The topic patterns that are wanted of the events exchange, and those that the broker has been told of: bound and
// unbound at run time, from any thread, and told anew to a broker that may have forgotten.
//
// What is to be told is the difference of two sets, so it can't grow by asking for the same thing again and again, and
// a pattern that came and went while nobody could be told is never told at all.

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

  // Any thread. True if there is something to tell the broker.
  Result<bool> bind(std::string pattern);
  bool unbind(const std::string& pattern);
  /// There is something that the broker should have, or should no longer have: then an events queue is needed.
  [[nodiscard]] bool needed() const;

  // The transport's thread.
  struct Change {
    std::string pattern;
    bool bind = false;
  };
  /// Up to `most` changes, unbinds first, which count as told from here on.
  std::vector<Change> take(std::size_t most);
  /// The queue is declared anew, or somebody else may have changed it: everything wanted is to be told again, and
  /// whatever the broker may have beside it is to be unbound. `unanswered` are changes whose answer never came.
  void retell(const std::vector<Change>& unanswered);
  /// The queue is as it was, but these changes were lost on their way to the broker: they are to be told again.
  void again(const std::vector<Change>& lost);
  /// The broker has answered a bind. True if the pattern is still wanted, so that somebody may be waiting to hear of it.
  bool answered(const std::string& pattern);
  /// Patterns that were wanted anew while the broker had them already: bound, without its having to be told.
  std::vector<std::string> take_bound();
  /// The broker refuses this pattern: it is not wanted any more.
  void refused(const std::string& pattern);
  /// The broker refuses the queue itself: nothing is wanted any more. Returns what was.
  std::vector<std::string> refuse_all();

 private:
  using Set = std::set<std::string>;  // ordered: outsiders choose the patterns
  const std::size_t most_;
  mutable std::mutex mutex_;
  Set wanted_;
  Set told_;   // the broker has these, or is about to
  Set bound_;  // of them, those that it has answered
  std::vector<std::string> bound_again_;
  Set maybe_;  // a broker of before had these, so this one may have them, or not
  Set to_bind_, to_unbind_;
};

}  // namespace nuropb::mesh
