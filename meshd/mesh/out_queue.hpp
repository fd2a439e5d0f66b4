#pragma once
// Messages that wait to be published, in the order in which they were submitted. Confined to the transport's thread.

#include <cstdint>
#include <deque>
#include <vector>

#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class OutQueue {
 public:
  void push(Outgoing&& message) { waiting_.push_back({std::move(message), ++pushed_}); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  Outgoing& front() { return waiting_.front().message; }
  Outgoing take_front();
  /// Takes out what is of no use any more: past its deadline, or abandoned. `front_stays`: it has begun to go.
  std::vector<Outgoing> expire(SteadyTime now, bool front_stays);
  /// Everything, for good.
  std::vector<Outgoing> take_all();
  /// True if none of the first `count` messages that were ever pushed waits here: whatever has to go after them may.
  [[nodiscard]] bool gone(std::uint64_t count) const { return waiting_.empty() || waiting_.front().number > count; }

 private:
  struct Waiting {
    Outgoing message;
    std::uint64_t number;  // from 1
  };
  std::deque<Waiting> waiting_;
  std::uint64_t pushed_ = 0;
};

}  // namespace nuropb::mesh
