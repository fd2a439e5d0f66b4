#pragma once
// When requests are given up, and the timers that this takes: there is always one that was asked for at or before the
// earliest deadline, and never more than that needs. Most requests are answered long before theirs, so timers are not
// taken back: one that comes when nothing is due asks for the next.
//
// Pure: whoever owns it sets the timers that it asks for. Not thread-safe.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.hpp"

namespace nuropb::mesh {

class Deadlines {
  using Times = std::multimap<SteadyTime, std::string>;

 public:
  using Place = Times::iterator;

  Place add(SteadyTime when, std::string id) { return times_.emplace(when, std::move(id)); }
  void remove(Place place) { times_.erase(place); }
  void clear() { times_.clear(); }

  /// A timer has to be set for then: fired() is to be called with the same value.
  std::optional<SteadyTime> timer() {
    if (times_.empty() || (!timers_.empty() && *timers_.begin() <= times_.begin()->first)) return {};
    timers_.insert(times_.begin()->first);
    return times_.begin()->first;
  }
  /// Whose time is up at `now`; they are to be removed. Then timer() again.
  std::vector<std::string> fired(SteadyTime timer, SteadyTime now) {
    timers_.erase(timer);
    std::vector<std::string> out;
    for (auto at = times_.begin(); at != times_.end() && at->first <= now; ++at) out.push_back(at->second);
    return out;
  }
  [[nodiscard]] std::size_t timers() const { return timers_.size(); }

 private:
  Times times_;
  std::set<SteadyTime> timers_;  // that were asked for and have not fired
};

}  // namespace nuropb::mesh
