#pragma once
// Which workers are subscribed to which topic patterns, counted over all their sessions. The broker only sees each
// pattern's first and last subscriber, so thousands of clients cost one binding.
//
//   add() ── first ──► bind ──► bound() : waiting subscribers are answered, later ones at once
//   remove() ── last ──► unbind
//
// Pure; owner thread: the ring loop.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.hpp"
#include "common/topic.hpp"
#include "meshd/sealed_tickets.hpp"

namespace nuropb::meshd {

class Subscriptions {
 public:
  enum class Added {
    first,    ///< the pattern has to be bound; the subscriber waits
    waiting,  ///< the pattern is being bound; the subscriber waits
    bound,    ///< the subscription is active
  };
  /// Adds a session's subscription. `asker` is returned by bound() if it has to wait.
  Added add(std::string_view pattern, const ReturnAddress& asker);
  /// Removes a session's subscription, which must exist; its waiting requests are removed as well (`sequence` does not
  /// matter).
  struct Removed {
    bool last = false;                   ///< it was the last subscriber: the pattern has to be unbound
    std::vector<ReturnAddress> waiting;  ///< its own waiting requests, which bound() will not return
  };
  Removed remove(std::string_view pattern, const ReturnAddress& session);

  /// Moves the subscription from `from` to `to`; waiting requests are not affected.
  void move(std::string_view pattern, const ReturnAddress& from, const ReturnAddress& to);

  /// The broker has bound or refused the pattern: returns the waiting requests.
  std::vector<ReturnAddress> bound(std::string_view pattern);
  std::vector<ReturnAddress> refused(std::string_view pattern);

  /// The workers with a session that is subscribed to the topic.
  void match(std::string_view topic, std::vector<WorkerId>& out) const;
  [[nodiscard]] std::size_t patterns() const { return patterns_.size(); }

 private:
  struct Pattern {
    std::map<WorkerId, std::size_t> sessions;
    std::vector<ReturnAddress> waiting;
    bool bound = false;
  };
  std::map<std::string, Pattern, std::less<>> patterns_;
  TopicIndex index_;  // ids are workers
  mutable std::vector<TopicIndex::Id> found_;
};

}  // namespace nuropb::meshd
