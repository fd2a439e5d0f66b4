#pragma once
// Detached sessions, by the ids of their mailboxes: their deadlines, and which one to evict when there are too many:
// the one that waits longest, of the user with the most of them. So neither a client that keeps losing sockets nor a
// compromised edge can crowd out other users.
//
// Pure; owner thread: the ring loop.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/clock.hpp"

namespace nuropb::meshd {

class Parking {
 public:
  /// Precondition: `id` is not present.
  void add(std::uint32_t id, std::string_view user, SteadyTime until);
  /// An unknown id is ignored.
  void remove(std::uint32_t id);

  [[nodiscard]] std::size_t size() const { return places_.size(); }
  /// The earliest deadline.
  [[nodiscard]] SteadyTime next() const { return by_time_.empty() ? SteadyTime::max() : by_time_.begin()->first; }
  /// A session whose deadline has passed by `now`; empty if there is none. It stays until remove().
  [[nodiscard]] std::optional<std::uint32_t> due(SteadyTime now) const;
  /// The session to evict; empty if there is none.
  [[nodiscard]] std::optional<std::uint32_t> gives_way() const;

 private:
  using Waiting = std::set<std::pair<SteadyTime, std::uint32_t>>;
  using Users = std::map<std::string, Waiting, std::less<>>;
  struct Place {
    SteadyTime until;
    Users::iterator user;
  };
  /// The order of eviction: the user with the highest rank is first.
  struct Rank {
    std::size_t sessions;
    std::pair<SteadyTime, std::uint32_t> oldest;
    bool operator<(const Rank& other) const {
      return sessions != other.sessions ? sessions < other.sessions : oldest > other.oldest;
    }
  };
  static Rank rank_of(const Waiting& waiting) { return {waiting.size(), *waiting.begin()}; }

  std::unordered_map<std::uint32_t, Place> places_;
  Waiting by_time_;
  Users users_;
  std::set<Rank> ranks_;  // of all users
};

}  // namespace nuropb::meshd
