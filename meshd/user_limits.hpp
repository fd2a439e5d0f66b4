#pragma once
// What one user may do over all workers together: connections, messages and bytes a second. meshd alone sees them all,
// so the numbers are exact, and no edge can raise them.
//
// A user is known here while a session of theirs is open, and for as long after it as their buckets take to fill again:
// who comes back at once finds them as they were. Owner thread: the ring loop.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.hpp"
#include "common/rate_limit.hpp"

namespace nuropb::meshd {

class UserLimits {
  struct User {
    std::uint32_t connections = 0;
    RateLimit rate;
  };

 public:
  /// One connection of a user; ends with its destruction. Must not outlive the UserLimits.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : user_(std::exchange(other.user_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(user_, other.user_);
      return *this;
    }
    ~Place() {
      if (user_) --user_->connections;
    }

   private:
    friend UserLimits;
    explicit Place(User& user) : user_(&user) { ++user.connections; }
    User* user_ = nullptr;  // nothing: not counted
  };

  /// `connections` 0: any number.
  UserLimits(std::uint32_t connections, const Rates& rates) : connections_(connections), rates_(rates) {}

  /// Nothing, if the user has all the connections that they may have. Who has no user id is not counted.
  std::optional<Place> admit(std::string_view user_id);
  /// Counts a message of this connection's user.
  RateLimit::Answer take(const Place& place, SteadyTime now, std::size_t bytes);
  /// Users without a connection whose buckets are full again. Now and then.
  void forget_idle(SteadyTime now);

  [[nodiscard]] std::size_t users() const { return users_.size(); }
  [[nodiscard]] const Rates& rates() const { return rates_; }

 private:
  std::uint32_t connections_;
  Rates rates_;
  std::map<std::string, User, std::less<>> users_;  // ordered: outsiders choose the names
};

}  // namespace nuropb::meshd
