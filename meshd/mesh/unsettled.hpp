#pragma once
// Unsettled deliveries of one opened channel, acknowledged to the broker with as few frames as possible: one
// acknowledgement covers all earlier deliveries, as soon as all of them are settled. A delivery that is settled before
// an older one is acknowledged individually, so that a slow call does not use up the prefetch of others.
//
// Pure; confined to the transport's thread.

#include <cstdint>
#include <deque>
#include <vector>

namespace nuropb::mesh {

class Unsettled {
 public:
  struct Ack {
    std::uint64_t tag;
    bool multiple;
    bool operator==(const Ack&) const = default;
  };

  /// Tags only grow. A tag that was delivered before is ignored.
  void delivered(std::uint64_t tag);
  /// Tags that are not open are ignored: settled before, or never delivered.
  void ack(std::uint64_t tag, bool multiple);
  /// Returns true if the caller has to send the rejection. There is no multiple reject here.
  bool reject(std::uint64_t tag);
  /// The acknowledgement frames to send since the last call.
  std::vector<Ack> take();
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  /// Number of entries kept: at most somewhat more than twice the number of open ones, however long the oldest stays
  /// open.
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  void reset();

 private:
  enum class State { open, acked, told };
  struct Entry {
    std::uint64_t tag;
    State state;
  };
  std::deque<Entry>::iterator find(std::uint64_t tag);
  std::deque<Entry> waiting_;  // from the oldest unsent entry on; sent ones in between are removed from time to time
  std::size_t told_ = 0;       // number of sent ones among them
  std::vector<std::uint64_t> acked_;  // since the last take()
};

}  // namespace nuropb::mesh
