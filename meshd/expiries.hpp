#pragma once
// Schedules the expiry of sessions and the warning before it. A session expires at the earlier of
//
//   * the end of the token's remaining lifetime at its acceptance, by the monotonic clock, which cannot be set;
//   * the token's `exp`, by the wall clock. If a step of the wall clock passes it, the session expires at some moment
//     within the next ten minutes, another one for each session: a step must not close all sockets at once, and a wrong
//     clock that is soon corrected closes few.
//
// Pure; the ring loop polls due(), and reports steps of the wall clock.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "meshd/clock_steps.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class Expiries {
 public:
  static constexpr auto spread = std::chrono::minutes(10);

  struct Key {
    WorkerId worker;
    std::uint32_t slot = 0;
    std::uint32_t serial = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Due {
    Key key;
    bool over = false;        ///< false: only the warning is due
    std::int64_t left_s = 0;  ///< until expiry
  };
  struct Ends {
    std::int64_t expires = 0;  ///< Unix time in seconds
    SteadyTime steady{};       ///< end of the remaining lifetime at acceptance
  };
  /// Schedules a warning `warning_s` before expiry, immediately if that has passed; 0: no warning. Replaces the
  /// session's earlier entry.
  void set(const Key& key, std::int64_t warning_s, const Ends& ends, Moment now) {
    remove(key);
    place(key, {ends, std::chrono::seconds(warning_s), warning_s == 0, {}, {}}, now);
  }
  void remove(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    order_.erase({found->second.next, key});
    entries_.erase(found);
  }
  /// The wall clock was set: recomputes all entries.
  void stepped(Moment now) {
    const auto former = std::exchange(entries_, {});
    order_.clear();
    for (const auto& [key, entry] : former) place(key, entry, now);
  }
  /// Returns what is due. A session that was warned stays until its expiry.
  std::vector<Due> due(SteadyTime now) {
    std::vector<Due> out;
    while (!order_.empty() && order_.begin()->first <= now) {
      const Key key = order_.begin()->second;
      Entry& entry = entries_[key];
      order_.erase(order_.begin());
      const bool over = entry.end <= now;
      out.push_back({key, over, std::chrono::ceil<std::chrono::seconds>(entry.end - now).count()});
      if (over) {
        entries_.erase(key);
        continue;
      }
      entry.warned = true;
      entry.next = entry.end;
      order_.emplace(entry.next, key);
    }
    return out;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Ends ends;
    std::chrono::seconds warning;
    bool warned;
    SteadyTime end, next;
  };
  void place(const Key& key, Entry entry, Moment now) {
    const std::int64_t left_ms = entry.ends.expires * 1000 - now.wall_ms;
    const auto left = left_ms > 0 ? milliseconds(std::min(left_ms, far_away_ms)) : share_of(key);
    entry.end = std::min(entry.ends.steady, now.steady + left);
    const SteadyTime warn = entry.end - entry.warning;
    entry.next = entry.warned ? entry.end : std::min(warn, entry.end);
    order_.emplace(entry.next, key);
    entries_[key] = entry;
  }
  /// A part of the spread: always the same for one session, and evenly distributed over all sessions.
  static milliseconds share_of(const Key& key) {
    constexpr auto all = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(spread).count());
    std::uint64_t mixed = key.worker.slot;
    for (const std::uint64_t part : {key.worker.generation, key.slot, key.serial})
      mixed = (mixed ^ part) * 0x9e37'79b9'7f4a'7c15ULL;
    return milliseconds((mixed >> 32) % all);
  }

  static constexpr std::int64_t far_away_ms = 1LL << 43;  // the clock's nanoseconds must not overflow
  std::map<Key, Entry> entries_;
  std::set<std::pair<SteadyTime, Key>> order_;
};

}  // namespace nuropb::meshd
