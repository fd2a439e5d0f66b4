#pragma once
// What other threads want of the transport's thread, for one participant. A short mutex around vectors that the thread
// swaps out whole; the eventfd is written only while the thread sleeps. Participants of one connection share the thread,
// and so the eventfd.

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
    /// Messages submitted before it, ever: it goes when they have gone.
    std::uint64_t after = 0;
  };
  struct Work {
    std::vector<Outgoing> messages;
    std::vector<Settlement> settlements;
    std::vector<std::pair<std::optional<SteadyTime>, std::function<void()>>> posts;
    bool paused = false;
    bool stop = false;
  };

  /// Wakes by `event`, or by an eventfd of its own.
  explicit TransportInbox(std::size_t max_bytes, std::shared_ptr<shm::UniqueFd> event = nullptr);

  // Any thread.
  /// False if it is full. One message always fits into an empty one, however large: else it could never go, and whoever
  /// tries again until it does would hold up everybody behind it.
  bool push(Outgoing&& message);
  std::size_t push(std::vector<Outgoing>& messages);
  void settle(Settlement settlement);
  /// Not worth a wake-up of its own while the thread comes back soon by itself: may_sleep().
  void acknowledge(const std::vector<Delivery>& deliveries);
  void post(std::optional<SteadyTime> when, std::function<void()> work);
  void pause(bool paused);
  void stop();
  /// Wakes the thread: there is news that it will find elsewhere.
  void poke();
  /// There is no transport (any more): whatever comes is dropped, and what is here too.
  void close();
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }

  // The transport's thread.
  /// Swaps all work out; vectors of `work` keep their memory for the next time.
  void take(Work& work);
  /// True if there is nothing to do: whoever brings something from now on writes the eventfd. `soon`: the thread wakes in
  /// no time without being told; acknowledgements can wait for that.
  bool may_sleep(bool soon = false);
  void awake();
  [[nodiscard]] int fd() const { return event_->get(); }
  [[nodiscard]] const std::shared_ptr<shm::UniqueFd>& event() const { return event_; }
  /// A message has left the transport, published or not.
  void left(std::size_t bytes) { queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  /// What a message counts for the bound.
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
  Work work_;                 // under mutex_
  bool asleep_ = false;       // under mutex_
  bool soon_ = false;         // under mutex_: for a moment only
  bool settled_ = false;      // under mutex_: among the settlements are others than acknowledge()'s
  bool changed_ = false;      // under mutex_: there is news beside the vectors
  bool closed_ = false;       // under mutex_
  std::uint64_t pushed_ = 0;  // under mutex_
};

}  // namespace nuropb::mesh
