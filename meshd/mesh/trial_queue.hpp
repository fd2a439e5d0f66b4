#pragma once
// Messages that the broker may refuse by closing their channel (broker_bounds.hpp), and messages too large to be
// written at once. They wait here and are published on a channel of their own, so that neither a refusal nor a large
// body delays messages that are known to be accepted.
//
//   size_untried     alone: nothing else is on the channel until the broker has answered, so a refusal refers to it and
//                    to nothing else. Of growing sizes only each new maximum is untried
//   topic_untried    `most_topics` at once, until the broker refuses the first topic on this connection; then alone.
//                    Most brokers have no topic permissions, and a round trip for each new topic would be expensive
//   known            many at once; it is here because of its size or its order
//
// Sources (Outgoing::source) take turns, so no source waits for the whole backlog of another. Messages of one source
// keep their order over both channels, which a broker handles independently: while a message of a source is here, its
// later messages are queued here, too. The first one is sent when the source's earlier messages have been confirmed;
// messages that are here only for their order return (`go_home`) when their predecessors are confirmed. Responses have
// no order. A source whose message was refused may not try anything new for `pause_after_refusal`, which limits how
// often one client can cause the channel to be closed. Pure; confined to the transport's thread.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "meshd/mesh/broker_bounds.hpp"
#include "meshd/mesh/out_queue.hpp"

namespace nuropb::mesh {

class TrialQueue {
 public:
  static constexpr std::size_t most_topics = 32, most_known = 1024;  ///< in flight at once
  /// A longer topic is sent alone, because the broker's text about it may be truncated (BrokerBounds::Said).
  static constexpr std::size_t longest_shared_topic = 128;
  static constexpr auto pause_after_refusal = std::chrono::seconds(1);

  /// The unit of ordering; 0 for responses, which have none.
  static std::uint64_t source_of(MessageType type, std::uint64_t source) {
    return type == MessageType::response ? 0 : source;
  }
  static std::uint64_t source_of(const Outgoing& message) { return source_of(message.type, message.source); }

  /// `follows`: it is here only for its order. `after`: the number of messages published on the other channel before
  /// it.
  void push(OutQueue::Waiting&& waiting, bool follows, std::uint64_t after);
  /// Messages that were in flight behind a refused one, so the broker has not processed them. They become the first
  /// again.
  void again(std::vector<Outgoing>&& messages);
  [[nodiscard]] bool empty() const { return numbers_.empty(); }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }
  /// Whether a predecessor of this message is queued here or in flight from here.
  [[nodiscard]] bool has_before(const Outgoing& message) const {
    return !sources_.empty() && message.type != MessageType::response && sources_.contains(message.source);
  }
  /// Bytes of queued bodies of that source.
  [[nodiscard]] std::size_t bytes(std::uint64_t source) const;
  /// Removes the messages that were here only for their order and no longer need to be, in order.
  std::vector<OutQueue::Waiting> go_home();

  /// The broker's progress: `on_their_way` messages from here are unconfirmed; of the other channel it has confirmed
  /// the first `settled` messages, counted like `after`.
  struct Progress {
    std::size_t on_their_way;
    std::uint64_t settled;
  };
  /// The next message to send: the one that is partly written, or that of the next source in turn. Null if it has to
  /// wait. The result stays the same until take().
  const Outgoing* next(const BrokerBounds& bounds, Progress progress, SteadyTime now);
  /// Removes the message that next() returned. `sent`: it is in flight until settled().
  Outgoing take(bool sent);
  /// A message of that source that was in flight has its outcome.
  void settled(std::uint64_t source);
  /// Bytes of next()'s body that were sent, once its head was.
  std::optional<std::size_t> written;
  /// The channel or the connection is lost. If next() was partly written, it was not routed and starts again; but it is
  /// returned and removed if that has now happened `most` times, because it may be the cause.
  std::optional<Outgoing> interrupted(unsigned most);
  /// The broker has refused a message of that source.
  void refused(std::uint64_t source, SteadyTime now);

  std::vector<Outgoing> expire(SteadyTime now);
  std::vector<Outgoing> take_all();
  /// See OutQueue::gone().
  [[nodiscard]] bool gone(std::uint64_t count) const { return numbers_.empty() || *numbers_.begin() > count; }

 private:
  struct Entry {
    OutQueue::Waiting waiting;
    bool follows = false;
    std::uint64_t after = 0;
    // How often its channel or connection was lost while it was being written.
    unsigned interrupted = 0;
  };
  struct Source {
    std::deque<Entry> waiting;
    std::size_t bytes = 0;         // of `waiting`
    std::size_t not_follower = 0;  // number of those in `waiting` that are not here only for their order
    std::size_t on_their_way = 0;
  };
  using Sources = std::map<std::uint64_t, Source>;
  Source& with_turn(std::uint64_t source, bool first);
  Entry pop(Source& from);
  void forget_if_done(Sources::iterator source);

  // Sources with queued or unsettled messages.
  Sources sources_;
  std::deque<std::uint64_t> turns_;       // sources with queued messages, the next one first
  std::multiset<std::uint64_t> numbers_;  // of all queued messages
  std::optional<std::uint64_t> current_;  // the source of next()'s result
  bool current_alone_ = false;
  bool alone_ = false;                           // a message is in flight that must be alone
  std::map<std::uint64_t, SteadyTime> pausing_;  // sources with a recent refusal, and the end of their pause
};

}  // namespace nuropb::mesh
