#pragma once
// The send queue of a socket whose client reads more slowly than it is sent to.
//
// Only a small amount is passed to the socket at a time. The rest waits here, bounded by limits.send_queue_bytes, as
// frames that are shared with other sockets, and moves on when the socket has taken what it had. Responses and notices
// are never dropped; events are, if events.when_full says so for their topic. A socket that reads in time has no queue
// and costs nothing here.
//
//   send() ──► nothing waits, and the socket is not full? ──► socket
//                 │ else
//                 ▼        over the limit?  drops events of `drop_oldest`, then of `latest`; then: too slow
//              waiting ── go_on(): the socket has taken something ──► socket

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/queue_rules.hpp"
#include "edge/sessions/memory_budget.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class SharedMessage;

class SendQueue {
 public:
  /// Maximum that is passed to the socket before it has taken it, apart from a single message.
  static constexpr std::size_t ahead = 64 * 1024;
  /// Memory cost of a queued frame in addition to its text: many small events must not be free.
  static constexpr std::size_t overhead = 160;

  /// `limit` in bytes: everything queued, here and in the socket. If the queue is empty, a message is always accepted.
  SendQueue(Connection& connection, std::size_t limit);
  ~SendQueue();

  /// Returns false if the limit is exceeded although all droppable events were dropped: the client is too slow. The
  /// message is queued in any case.
  [[nodiscard]] bool send(std::string_view text);
  [[nodiscard]] bool send(const Frame& frame);
  /// The same for an event, with its topic's rule. `text` must end as encode_event() ends it.
  [[nodiscard]] bool send(const Frame& frame, std::string_view topic, QueueRules::Match rule);

  /// The socket has taken what it had.
  void go_on();
  /// Passes everything queued to the socket, because it will be closed.
  void hand_over();

  /// Bytes that wait here, without those in the socket.
  [[nodiscard]] std::size_t waiting_bytes() const;
  /// Everything queued, here and in the socket.
  [[nodiscard]] MemoryBudget::Bytes memory() const;
  /// Drops everything that waits here.
  void discard();
  /// Number of events dropped since the last call.
  [[nodiscard]] std::uint64_t take_dropped();

 private:
  struct Waiting;
  [[nodiscard]] bool direct() const { return !waiting_ && connection_.buffered_bytes() < ahead_; }
  [[nodiscard]] bool fits(std::size_t more) const;
  Waiting& wait();
  bool make_room(std::size_t more, bool also_latest);
  void drop(std::uint32_t rule);
  void move_front();
  void hand(const Frame& frame, std::uint32_t rule);
  bool keep(const Frame& frame);

  Connection& connection_;
  std::size_t limit_, ahead_;
  std::unique_ptr<Waiting> waiting_;     // null while nothing waits
  std::vector<std::uint32_t> left_out_;  // by rule: reported in the rule's next event
  std::uint64_t dropped_ = 0;
};

/// The text of an event with the number of events that were dropped before it.
std::string with_dropped(std::string_view event, std::uint32_t count);

}  // namespace nuropb::edge
