#pragma once
// Messages that the broker may refuse by closing the channel that they come over (broker_bounds.hpp), and those too large to be
// written at once. They wait here, and go over a channel of their own, so that neither a refusal nor a slow body holds anybody up
// who sends what is known to be taken.
//
//   size_untried     alone: nothing else is on the channel until the broker has said something. So a refusal is about it, and
//                    about nothing else. Of growing sizes only each new largest one is such
//   topic_untried    `most_topics` at once, until the broker refuses the first topic on this connection; then alone. Most brokers
//                    have no permissions of topics, and a round trip for each new topic would be dear
//   known            many at once; it is here for its size, or for its order
//
// Sources (Outgoing::source) take turns, so nobody waits behind all that another one has to say. What a source publishes keeps
// its order over both channels, which a broker handles each by itself: while something of a source is here, what follows comes
// here, too; it begins to go when what the source had sent before is confirmed, and what only followed goes back (`go_home`) when
// what it followed is. Responses have no order. A source whose message the broker has refused tries nothing new for
// `pause_after_refusal`: one client has the channel closed no more often. Pure; confined to the transport's thread.

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
  static constexpr std::size_t most_topics = 32, most_known = 1024;  ///< on their way at once
  /// A longer topic goes alone: the broker's words about it may be cut (BrokerBounds::Said).
  static constexpr std::size_t longest_topic_in_company = 128;
  static constexpr auto pause_after_refusal = std::chrono::seconds(1);

  /// What keeps its order: 0 for responses, which have none.
  static std::uint64_t source_of(MessageType type, std::uint64_t source) {
    return type == MessageType::response ? 0 : source;
  }
  static std::uint64_t source_of(const Outgoing& message) { return source_of(message.type, message.source); }

  /// `follows`: it is here for its order alone. `after`: how many messages had been published on the other channel before it.
  void push(OutQueue::Waiting&& waiting, bool follows, std::uint64_t after);
  /// These were on their way behind one that the broker refused; it has not looked at them. They are first again.
  void again(std::vector<Outgoing>&& messages);
  [[nodiscard]] bool empty() const { return numbers_.empty(); }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }
  /// Whether what this message has to go after is here, or on its way from here.
  [[nodiscard]] bool has_before(const Outgoing& message) const {
    return !sources_.empty() && message.type != MessageType::response && sources_.contains(message.source);
  }
  /// Bytes of bodies that wait of that source.
  [[nodiscard]] std::size_t bytes(std::uint64_t source) const;
  /// Takes out what waits for its order alone, and need not any more; in order.
  std::vector<OutQueue::Waiting> go_home();

  /// How far the broker has come: `on_their_way` from here it has not confirmed; of the other channel it has confirmed the first
  /// `settled`, counted as `after` is.
  struct Progress {
    std::size_t on_their_way;
    std::uint64_t settled;
  };
  /// What goes next: the message that is being written already, or that of the next source whose turn it is. Nothing, if it has
  /// to wait. It stays the same until take().
  const Outgoing* next(const BrokerBounds& bounds, Progress progress, SteadyTime now);
  /// Takes out what next() named. `sent`: it is on its way, until settled().
  Outgoing take(bool sent);
  /// One of that source that was on its way has its outcome.
  void settled(std::uint64_t source);
  /// Bytes of next()'s body that are gone, once its head is.
  std::optional<std::size_t> written;
  /// The channel or the connection is gone. If next() was being written, it was not routed and begins anew; but it is taken out
  /// if that has happened to it `most` times now: it may be the reason.
  std::optional<Outgoing> interrupted(unsigned most);
  /// The broker has refused a message of that source.
  void refused(std::uint64_t source, SteadyTime now);

  std::vector<Outgoing> expire(SteadyTime now);
  std::vector<Outgoing> take_all();
  /// As OutQueue's.
  [[nodiscard]] bool gone(std::uint64_t count) const { return numbers_.empty() || *numbers_.begin() > count; }

 private:
  struct Entry {
    OutQueue::Waiting waiting;
    bool follows = false;
    std::uint64_t after = 0;
    unsigned interrupted = 0;  // how often its channel or connection went while it was being written
  };
  struct Source {
    std::deque<Entry> waiting;
    std::size_t bytes = 0;         // of those
    std::size_t not_follower = 0;  // of those
    std::size_t on_their_way = 0;
  };
  using Sources = std::map<std::uint64_t, Source>;
  Source& with_turn(std::uint64_t source, bool first);
  Entry pop(Source& from);
  void forget_if_done(Sources::iterator source);

  Sources sources_;                       // something waits, or is on its way
  std::deque<std::uint64_t> turns_;       // sources with something that waits, the next one first
  std::multiset<std::uint64_t> numbers_;  // of all that wait
  std::optional<std::uint64_t> current_;  // the source of what next() named
  bool current_alone_ = false;
  bool alone_ = false;                           // one is on its way that may have no company
  std::map<std::uint64_t, SteadyTime> pausing_;  // sources that were refused something, and until when
};

}  // namespace nuropb::mesh
