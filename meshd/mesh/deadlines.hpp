#pragma once
// Deadlines of requests, and the timers for them: at least one pending timer is at or before the earliest deadline,
// with as few timers as possible. Most requests are answered long before their deadline, so timers are not cancelled:
// one that fires when nothing is due requests the next.
//
// Pure: the owner sets the timers that it asks for. Not thread-safe.

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

  /// If a value is returned, the owner has to set a timer for that time and then call fired() with the same value.
  std::optional<SteadyTime> timer() {
    if (times_.empty() || (!timers_.empty() && *timers_.begin() <= times_.begin()->first)) return {};
    timers_.insert(times_.begin()->first);
    return times_.begin()->first;
  }
  /// The ids whose deadline has passed at `now`; the caller has to remove them and then call timer() again.
  std::vector<std::string> fired(SteadyTime timer, SteadyTime now) {
    timers_.erase(timer);
    std::vector<std::string> out;
    for (auto at = times_.begin(); at != times_.end() && at->first <= now; ++at) out.push_back(at->second);
    return out;
  }
  [[nodiscard]] std::size_t timers() const { return timers_.size(); }

 private:
  Times times_;
  std::set<SteadyTime> timers_;  // timers that were requested and have not fired
};

}  // namespace nuropb::mesh
