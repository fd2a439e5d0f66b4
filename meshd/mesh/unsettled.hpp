#pragma once
// The deliveries of one opening of a channel that are not settled yet, and how the broker is told with few frames that
// they are: one acknowledgement stands for all before it, as soon as all before it are settled. What is settled while an
// older one is not goes by itself, so that a slow call holds up nobody's prefetch.
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

  /// Tags only grow. One that was delivered before is ignored.
  void delivered(std::uint64_t tag);
  /// What is not waiting for it is ignored: settled before, or never delivered.
  void ack(std::uint64_t tag, bool multiple);
  /// True if it has to be told, by the caller: there is no saying no to many at once here.
  bool reject(std::uint64_t tag);
  /// What has to be told of the acknowledgements since the last call.
  std::vector<Ack> take();
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  /// Entries that are kept: at most some more than twice as many as are open, however long the oldest stays so.
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  void reset();

 private:
  enum class State { open, acked, told };
  struct Entry {
    std::uint64_t tag;
    State state;
  };
  std::deque<Entry>::iterator find(std::uint64_t tag);
  std::deque<Entry> waiting_;  // from the oldest that is not told on; those that are told in between go now and then
  std::size_t told_ = 0;       // of them
  std::vector<std::uint64_t> acked_;  // since the last take()
};

}  // namespace nuropb::mesh
