#pragma once
// What waits for a socket that does not read as fast as is sent to it.
//
// Only a little is handed to the socket at a time. The rest waits here, bounded by limits.send_queue_bytes, as frames
// that other sockets share, and moves on whenever the socket has taken what it had. What was asked for (answers, notices)
// is never left out; events are, where events.when_full says so for their topic. A socket that reads costs nothing of
// this: no queue is made for it.
//
//   send() ──► nothing waits, and the socket is not full? ──► socket
//                 │ else
//                 ▼        over the bound?  oldest events of `drop_oldest` out, then of `latest`; then: it is too slow
//              waiting ── go_on(): the socket has taken something ──► socket

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/queue_rules.hpp"
#include "edge/sessions/memory_budget.hpp"
#include "edge/websocket.hpp"

namespace nuropb::edge {

class SharedMessage;

class SendQueue {
 public:
  /// What a socket is given at most before it has taken it, but for one message.
  static constexpr std::size_t ahead = 64 * 1024;
  /// What waiting costs beside a frame's text, and is counted: many small events must not pass for nothing.
  static constexpr std::size_t overhead = 160;

  /// `limit` in bytes: all that waits, here and in the socket. A message that finds nothing before it always passes.
  SendQueue(Connection& connection, std::size_t limit);
  ~SendQueue();

  /// False if it is over the bound, and with it all that may not be left out: the consumer is too slow. It is in the
  /// queue all the same.
  [[nodiscard]] bool send(std::string_view text);
  [[nodiscard]] bool send(const Frame& frame);
  /// The same of an event, by its topic's rule. `text` has to end as encode_event() ends it.
  [[nodiscard]] bool send(const Frame& frame, std::string_view topic, QueueRules::Match rule);

  /// The socket has taken what it had.
  void go_on();
  /// All that waits goes to the socket: its end is near.
  void hand_over();

  /// Bytes that wait here; the socket's own are not among them.
  [[nodiscard]] std::size_t waiting_bytes() const;
  /// All that waits, here and in the socket.
  [[nodiscard]] MemoryBudget::Bytes memory() const;
  /// What waits here is given up.
  void discard();
  /// Events left out since this was last asked.
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
  std::unique_ptr<Waiting> waiting_;     // nothing, while nothing waits
  std::vector<std::uint32_t> left_out_;  // by rule: told in the next event of it
  std::uint64_t dropped_ = 0;
};

/// The text of an event that comes after others were left out.
std::string with_dropped(std::string_view event, std::uint32_t count);

}  // namespace nuropb::edge
