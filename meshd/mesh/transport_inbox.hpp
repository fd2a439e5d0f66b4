#pragma once
// Requests of other threads to the transport's thread, for one participant: a short mutex around vectors that the
// thread swaps out as a whole; the eventfd is written only while the thread sleeps. Participants of one connection
// share the thread and therefore the eventfd.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "meshd/mesh/transport.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::mesh {

class TransportInbox {
 public:
  enum class Verdict { ack, requeue, reject };
  struct Settlement {
    Delivery delivery;
    Verdict verdict = Verdict::ack;
    bool multiple = false;
    /// Number of messages submitted before it: it is sent after they have been sent.
    std::uint64_t after = 0;
  };
  struct Work {
    std::vector<Outgoing> messages;
    std::vector<Settlement> settlements;
    std::vector<std::pair<std::optional<SteadyTime>, std::function<void()>>> posts;
    bool paused = false;
    bool stop = false;
  };

  /// Wakes through `event`, or through an eventfd of its own.
  explicit TransportInbox(std::size_t max_bytes, std::shared_ptr<shm::UniqueFd> event = nullptr);

  // Any thread.
  /// Returns false if the inbox is full. A message always fits into an empty inbox, whatever its size; otherwise it
  /// could never be sent, and a submitter that retries would block all messages behind it.
  bool push(Outgoing&& message);
  std::size_t push(std::vector<Outgoing>& messages);
  void settle(Settlement settlement);
  /// Acknowledges without a wake-up if the thread will wake soon by itself: see may_sleep().
  void acknowledge(const std::vector<Delivery>& deliveries);
  void post(std::optional<SteadyTime> when, std::function<void()> work);
  void pause(bool paused);
  void stop();
  /// Wakes the thread for news outside the inbox.
  void poke();
  /// Detaches from the transport: everything queued and everything that is pushed later is dropped.
  void close();
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }

  // The transport's thread.
  /// Swaps all work out. The vectors of `work` keep their memory for reuse.
  void take(Work& work);
  /// True if there is nothing to do; from now on the eventfd is written when something arrives. `soon`: the thread will
  /// wake shortly without that, so acknowledgements do not write it.
  bool may_sleep(bool soon = false);
  void awake();
  [[nodiscard]] int fd() const { return event_->get(); }
  [[nodiscard]] const std::shared_ptr<shm::UniqueFd>& event() const { return event_; }
  /// A message has left the transport, whether published or not.
  void left(std::size_t bytes) { queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  /// A message's cost for the limit.
  static std::size_t cost(std::size_t body) { return body + 256; }
  static std::size_t cost(const Outgoing& message) { return cost(message.body.size()); }

 private:
  bool count_locked(const Outgoing& message);
  void wake_locked();
  [[nodiscard]] bool news_locked(bool soon) const;
  std::shared_ptr<shm::UniqueFd> event_;
  std::size_t max_bytes_;
  std::atomic<std::size_t> queued_bytes_{0};
  std::mutex mutex_;
  Work work_;  // guarded by mutex_, like all members below
  bool asleep_ = false;
  bool soon_ = false;     // the thread will wake shortly by itself
  bool settled_ = false;  // there are settlements other than those of acknowledge()
  bool changed_ = false;  // there is news outside the vectors
  bool closed_ = false;
  std::uint64_t pushed_ = 0;
};

}  // namespace nuropb::mesh
