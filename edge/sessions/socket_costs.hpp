#pragma once
// The resource use of one client's socket: memory for received data that has to wait, memory for data that the client
// does not read, and frames that are not messages. socket_limits.hpp has the limits that all sockets share.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <string_view>

#include "common/rate_limit.hpp"
#include "edge/sessions/memory_budget.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class SocketLimits;

class SocketCosts final : public Costs, public MemoryBudget::Holder {
 public:
  SocketCosts(SocketLimits& limits, ConsumerHandler& handler) : limits_(limits), handler_(handler) {}
  ~SocketCosts() override;

  // Costs
  void on_unfinished(std::size_t bytes) override;
  void on_frames(std::size_t count) override;
  void on_no_memory() override;

  // MemoryBudget::Holder
  [[nodiscard]] std::string_view owner() const override;
  void give_way(MemoryBudget::What most) override;
  void give_up_message() override;

  /// Sets the bytes that wait to be sent (unread), and the bytes of messages that have to wait (held). The latter is
  /// never called while a message is incomplete, because nothing is read meanwhile.
  void unread(MemoryBudget::Bytes bytes);
  void held(std::size_t bytes);
  /// The socket is closing: nothing more is kept of what arrives.
  void closing();
  /// Rate limit of its messages; frames that complete no message count as well.
  RateLimit& rate() { return rate_; }

 private:
  SocketLimits& limits_;
  ConsumerHandler& handler_;
  RateLimit rate_, frame_rate_;
};

}  // namespace nuropb::edge
