#pragma once
// What one client's socket costs its edge: memory for what has arrived and can't go on, memory for what it does not read, and
// frames that are no messages. What all sockets share is in socket_limits.hpp.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <string_view>

#include "common/rate_limit.hpp"
#include "edge/sessions/memory_budget.hpp"
#include "edge/websocket.hpp"

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

  /// What waits to be sent, and what messages hold that can't go on yet. Never while a message is incomplete: nothing is read
  /// meanwhile.
  void unread(MemoryBudget::Bytes bytes);
  void held(std::size_t bytes);
  /// Nothing more is kept of what arrives.
  void closing();
  /// Of its messages; frames that are none count for it, too.
  RateLimit& rate() { return rate_; }

 private:
  SocketLimits& limits_;
  ConsumerHandler& handler_;
  RateLimit rate_, frame_rate_;
};

}  // namespace nuropb::edge
