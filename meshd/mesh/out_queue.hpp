#pragma once
// Messages waiting to be published, in the order of submission. Confined to the transport's thread.

#include <cstdint>
#include <deque>
#include <vector>

#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class OutQueue {
 public:
  struct Waiting {
    Outgoing message;
    std::uint64_t number;  ///< position in the order of push(), from 1
  };
  void push(Outgoing&& message) { waiting_.push_back({std::move(message), ++pushed_}); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  Outgoing& front() { return waiting_.front().message; }
  Outgoing take_front() { return take_numbered().message; }
  /// The same with its number, for a message that continues to wait elsewhere.
  Waiting take_numbered();
  /// Puts messages of take_numbered() back to the front, in their order.
  void put_back(std::vector<Waiting>&& taken);
  /// Removes messages that are past their deadline or abandoned.
  std::vector<Outgoing> expire(SteadyTime now);
  static bool of_no_use(const Outgoing& message, SteadyTime now);
  /// Removes and returns all messages.
  std::vector<Outgoing> take_all();
  /// True if none of the first `count` messages ever pushed is still waiting, so that whatever must follow them may be
  /// sent.
  [[nodiscard]] bool gone(std::uint64_t count) const { return waiting_.empty() || waiting_.front().number > count; }

 private:
  std::deque<Waiting> waiting_;
  std::uint64_t pushed_ = 0;
};

}  // namespace nuropb::mesh
