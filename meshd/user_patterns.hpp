#pragma once
// Limits the number of different topic patterns that the sessions of one user are subscribed to
// (events.subscriptions_per_user). The gateway has a maximum number of patterns, so no user may use up all of them; a
// pattern shared by several sessions of a user counts once.
//
// Owner thread: the ring loop.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nuropb::meshd {

class UserPatterns {
 public:
  /// 0: unlimited, and nothing is counted.
  explicit UserPatterns(std::uint32_t limit) : limit_(limit) {}

  /// Whether another session of this user may subscribe to the pattern.
  [[nodiscard]] bool has_room(std::string_view user, std::string_view pattern) const;
  void add(std::string_view user, std::string_view pattern);
  void remove(std::string_view user, std::string_view pattern);

  [[nodiscard]] std::uint32_t limit() const { return limit_; }
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  using Sessions = std::map<std::string, std::uint32_t, std::less<>>;  // by pattern
  std::uint32_t limit_;
  std::map<std::string, Sessions, std::less<>> users_;  // ordered, because untrusted peers choose the names
};

}  // namespace nuropb::meshd
