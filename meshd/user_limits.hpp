#pragma once
// Limits of one user over all workers together: connections, messages and bytes per second. Only meshd sees them all,
// so the counts are exact, and no edge can exceed them.
//
// A user's state is kept while one of its sessions is open, and afterwards until its buckets are full again, so
// reconnecting does not reset them. Owner thread: the ring loop.

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
  /// One connection of a user; the destructor releases it. Must not outlive the UserLimits.
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
    User* user_ = nullptr;  // null: not counted
  };

  /// `connections` 0: unlimited.
  UserLimits(std::uint32_t connections, const Rates& rates) : connections_(connections), rates_(rates) {}

  /// Empty if the user's connections are at the limit. Clients without a user id are not counted.
  std::optional<Place> admit(std::string_view user_id);
  /// Counts a message of this connection's user.
  RateLimit::Answer take(const Place& place, SteadyTime now, std::size_t bytes);
  /// To be called regularly: removes users without connections whose buckets are full again.
  void forget_idle(SteadyTime now);

  [[nodiscard]] std::size_t users() const { return users_.size(); }
  [[nodiscard]] const Rates& rates() const { return rates_; }

 private:
  std::uint32_t connections_;
  Rates rates_;
  std::map<std::string, User, std::less<>> users_;  // ordered, because untrusted peers choose the names
};

}  // namespace nuropb::meshd
