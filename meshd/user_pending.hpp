#pragma once
// What one user may leave in the queues of services (limits.pending_per_user, limits.pending_user_bytes). A request counts until
// its answer comes, a command until its ttl is over, since nobody says when a service has taken it; whether the socket that sent
// them is still there does not matter. So a service that is away finds no more in its queue than this of each user.
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
    std::uint32_t messages = 0;  ///< 0: any number
    std::uint64_t bytes = 0;     ///< 0: any number
  };
  struct Message {
    std::size_t bytes = 0;
    SteadyTime until{};     ///< the end of its ttl
    bool answered = false;  ///< an answer tells that the service has taken it
  };

  explicit UserPending(Limits limits) : limits_(limits) {}

  /// Counts the message; false, and nothing counted, if it is over a limit.
  [[nodiscard]] bool take(std::string_view user, const ReturnAddress& from, const Message& message);
  /// The answer to it has come.
  void answered(const ReturnAddress& from);
  /// It is in no service's queue.
  void not_sent(const ReturnAddress& from);
  /// Now and then: forgets some of those whose ttl is over.
  void sweep(SteadyTime now);

  [[nodiscard]] std::size_t messages() const { return messages_.size(); }
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  static constexpr int swept_at_once = 20'000;
  struct User {
    std::uint64_t messages = 0, bytes = 0;
  };
  using Users = std::map<std::string, User, std::less<>>;  // ordered: outsiders choose the names
  struct Entry {
    Users::iterator user;
    Message message;
  };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // of a worker, and of a record of its
  using Messages = std::map<Key, Entry>;
  static Key key_of(const ReturnAddress& from) {
    return {(std::uint64_t{from.slot} << 32) | from.generation, from.sequence};
  }
  Messages::iterator forget(Messages::iterator place);

  Limits limits_;
  Users users_;
  Messages messages_;
  Key swept_{};  // up to here
};

}  // namespace nuropb::meshd
