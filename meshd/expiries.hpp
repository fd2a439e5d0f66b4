#pragma once
// When which session has to be warned of its end, and when it ends. Pure; the ring loop looks once in a while.

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class Expiries {
 public:
  struct Key {
    WorkerId worker;
    std::uint32_t slot = 0;
    std::uint32_t serial = 0;
    auto operator<=>(const Key&) const = default;
  };
  struct Due {
    Key key;
    bool over = false;  ///< else: only warned
  };
  /// Unix time in seconds. `warn` 0 or not before `end`: no warning. A former entry of the session goes.
  void set(const Key& key, std::int64_t warn, std::int64_t end) {
    remove(key);
    const bool warns = warn != 0 && warn < end;
    const std::int64_t next = warns ? warn : end;
    entries_[key] = {next, end};
    order_.emplace(next, key);
  }
  void remove(const Key& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    order_.erase({found->second.next, key});
    entries_.erase(found);
  }
  /// What is due; a session that was warned is kept until its end.
  std::vector<Due> due(std::int64_t now) {
    std::vector<Due> out;
    while (!order_.empty() && order_.begin()->first <= now) {
      const Key key = order_.begin()->second;
      const std::int64_t end = entries_[key].end;
      remove(key);
      out.push_back({key, end <= now});
      if (end > now) set(key, 0, end);
    }
    return out;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::int64_t next = 0, end = 0;
  };
  std::map<Key, Entry> entries_;
  std::set<std::pair<std::int64_t, Key>> order_;
};

}  // namespace nuropb::meshd
