#pragma once
// Which workers want which topics, counted over all their sessions: what the broker is told is each pattern's first
// subscriber and its last (thousands of clients cost one binding).
//
//   add() ── first ──► bind ──► bound() : those who waited are answered, whoever comes later is answered at once
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
    first,    ///< to be bound; the asker waits
    waiting,  ///< being bound; the asker waits
    bound,    ///< the asker has it
  };
  /// One session more wants the pattern. `asker` is told of by bound() if it has to wait.
  Added add(std::string_view pattern, const ReturnAddress& asker);
  /// One session fewer, which must have it; its askers are taken out of those who wait (`sequence` does not matter).
  struct Removed {
    bool last = false;                   ///< of all: the pattern is to be unbound
    std::vector<ReturnAddress> waiting;  ///< its own askers, who will not be told of by bound()
  };
  Removed remove(std::string_view pattern, const ReturnAddress& session);

  /// What `from` holds of the pattern, `to` holds from now on; those who wait are not touched.
  void move(std::string_view pattern, const ReturnAddress& from, const ReturnAddress& to);

  /// The broker has it, or has refused it: those who waited for that.
  std::vector<ReturnAddress> bound(std::string_view pattern);
  std::vector<ReturnAddress> refused(std::string_view pattern);

  /// Workers with a session that wants it.
  void match(std::string_view topic, std::vector<WorkerId>& out) const;
  [[nodiscard]] std::size_t patterns() const { return patterns_.size(); }

 private:
  struct Pattern {
    std::map<WorkerId, std::size_t> sessions;
    std::vector<ReturnAddress> waiting;
    bool bound = false;
  };
  std::map<std::string, Pattern, std::less<>> patterns_;
  TopicIndex index_;  // of workers
  mutable std::vector<TopicIndex::Id> found_;
};

}  // namespace nuropb::meshd
