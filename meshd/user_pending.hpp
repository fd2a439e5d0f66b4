#pragma once
// Limits the messages that one user may have in the queues of services (limits.pending_per_user,
// limits.pending_user_bytes). A request counts until its response arrives, a command until its ttl has passed, because
// a service does not report when it has received it; whether the sending socket still exists does not matter. So an
// unavailable service never finds more than this in its queue from each user.
//
// Owner thread: the ring loop.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.hpp"
#include "common/ids.hpp"

namespace nuropb::meshd {

class UserPending {
 public:
  struct Limits {
    std::uint32_t messages = 0;  ///< 0: unlimited
    std::uint64_t bytes = 0;     ///< 0: unlimited
  };
  struct Message {
    std::size_t bytes = 0;
    SteadyTime until{};     ///< when its ttl has passed
    bool answered = false;  ///< a response will report that the service has received it
  };

  explicit UserPending(Limits limits) : limits_(limits) {}

  /// Counts the message; returns false, and counts nothing, if a limit is exceeded.
  [[nodiscard]] bool take(std::string_view user, const ReturnAddress& from, const Message& message);
  /// Its response has arrived.
  void answered(const ReturnAddress& from);
  /// It is not in any service's queue.
  void not_sent(const ReturnAddress& from);
  /// To be called regularly: removes some of the entries whose ttl has passed.
  void sweep(SteadyTime now);

  [[nodiscard]] std::size_t messages() const { return messages_.size(); }
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  static constexpr int swept_at_once = 20'000;
  struct User {
    std::uint64_t messages = 0, bytes = 0;
  };
  using Users = std::map<std::string, User, std::less<>>;  // ordered, because untrusted peers choose the names
  struct Entry {
    Users::iterator user;
    Message message;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // the worker, and the record's sequence
  using Messages = std::map<Key, Entry>;
  static Key key_of(const ReturnAddress& from) {
    return {(std::uint64_t{from.slot} << 32) | from.generation, from.sequence};
  }
  Messages::iterator forget(Messages::iterator place);

  Limits limits_;
  Users users_;
  Messages messages_;
  Key swept_{};  // swept up to here
};

}  // namespace nuropb::meshd
