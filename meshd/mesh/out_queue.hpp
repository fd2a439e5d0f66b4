#pragma once
// Messages that wait to be published, in the order in which they were submitted. Confined to the transport's thread.

#include <cstdint>
#include <deque>
#include <vector>

#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

class OutQueue {
 public:
  struct Waiting {
    Outgoing message;
    std::uint64_t number;  ///< in the order of pushing, from 1
  };
  void push(Outgoing&& message) { waiting_.push_back({std::move(message), ++pushed_}); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  Outgoing& front() { return waiting_.front().message; }
  Outgoing take_front() { return take_numbered().message; }
  /// With its number, for where it goes on waiting.
  Waiting take_numbered();
  /// These were taken so, in this order, and are before all that is here.
  void put_back(std::vector<Waiting>&& taken);
  /// Takes out what is of no use any more: past its deadline, or abandoned.
  std::vector<Outgoing> expire(SteadyTime now);
  static bool of_no_use(const Outgoing& message, SteadyTime now);
  /// Everything, for good.
  std::vector<Outgoing> take_all();
  /// True if none of the first `count` messages that were ever pushed waits here: whatever has to go after them may.
  [[nodiscard]] bool gone(std::uint64_t count) const { return waiting_.empty() || waiting_.front().number > count; }

 private:
  std::deque<Waiting> waiting_;
  std::uint64_t pushed_ = 0;
};

}  // namespace nuropb::mesh
