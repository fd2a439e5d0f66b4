#pragma once
// The resource use of one client's socket: memory for received data that has to wait, memory for data that the client
// does not read, and frames that are not messages. MemoryBudget limits the sum over all sockets.
//
// Owner thread: the edge's io_context.

#include <cstddef>
#include <string_view>

#include "common/rate_limit.hpp"
#include "edge/memory_budget.hpp"
#include "edge/websocket.hpp"

namespace nuropb::edge {

class ConsumerHandler;
class Edge;

class SocketCosts final : public Costs, public MemoryBudget::Holder {
 public:
  SocketCosts(Edge& edge, ConsumerHandler& handler) : edge_(edge), handler_(handler) {}
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
  Edge& edge_;
  ConsumerHandler& handler_;
  RateLimit rate_, frame_rate_;
};

}  // namespace nuropb::edge
