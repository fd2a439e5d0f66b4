#pragma once
// Which sessions of this edge have subscribed to which topics. The topics of resumable sessions are kept, but they are not in the
// index: meshd sends their events one by one.
//
// Owner thread: the edge's io_context.

#include <array>
#include <string_view>
#include <vector>

#include "common/handler_kinds.hpp"
#include "common/topic.hpp"

namespace nuropb::edge {

class ConsumerHandler;

class Subscriptions {
 public:
  void add(ConsumerHandler& handler, std::string_view topic);
  void remove(ConsumerHandler& handler, std::string_view topic);
  /// The session has no subscriptions any more.
  void remove_all(ConsumerHandler& handler);
  /// The session is resumable from now on: its topics leave the index.
  void leave_to_meshd(ConsumerHandler& handler);

  /// The slots of the sessions of this identity that an event of this topic is for. Valid until the next call.
  const std::vector<TopicIndex::Id>& match(HandlerKind identity, std::string_view topic);

 private:
  std::array<TopicIndex, handler_kinds> slots_;  // by identity
  std::vector<TopicIndex::Id> matches_;          // reused for each event
};

}  // namespace nuropb::edge
