#pragma once
// The sessions that wait for their consumers, by the ids of their mailboxes: until when, and which has to give way when
// they are too many: of the user who has most of them, the one that waits longest. So nobody who loses sockets without
// end, nor an edge that was taken over, can crowd out the others.
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
  /// `id` is not here yet.
  void add(std::uint32_t id, std::string_view user, SteadyTime until);
  /// One that is not here is no mistake.
  void remove(std::uint32_t id);

  [[nodiscard]] std::size_t size() const { return places_.size(); }
  /// When the next has waited long enough.
  [[nodiscard]] SteadyTime next() const { return by_time_.empty() ? SteadyTime::max() : by_time_.begin()->first; }
  /// One that has by `now`; nothing if none has. It stays until remove().
  [[nodiscard]] std::optional<std::uint32_t> due(SteadyTime now) const;
  /// Who gives way to the others; nothing if nobody is here.
  [[nodiscard]] std::optional<std::uint32_t> gives_way() const;

 private:
  using Waiting = std::set<std::pair<SteadyTime, std::uint32_t>>;
  using Users = std::map<std::string, Waiting, std::less<>>;
  struct Place {
    SteadyTime until;
    Users::iterator user;
  };
  /// How a user ranks: the last gives way first.
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
