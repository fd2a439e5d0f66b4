#include "meshd/mesh/transport_inbox.hpp"

#include <sys/eventfd.h>

#include <cstdlib>

namespace nuropb::mesh {

TransportInbox::TransportInbox(std::size_t max_bytes, std::shared_ptr<shm::UniqueFd> event)
    : event_(event ? std::move(event) : std::make_shared<shm::UniqueFd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      max_bytes_(max_bytes) {
  if (!*event_) std::abort();  // out of descriptors at start-up: nothing would work
}

void TransportInbox::wake_locked() {
  if (!asleep_) return;
  asleep_ = false;
  const std::uint64_t one = 1;
  (void)!::write(event_->get(), &one, sizeof one);
}

bool TransportInbox::count_locked(const Outgoing& message) {
  const std::size_t size = cost(message), queued = queued_bytes_.load(std::memory_order_relaxed);
  if (work_.stop || (queued > 0 && queued + size > max_bytes_)) return false;
  queued_bytes_.fetch_add(size, std::memory_order_relaxed);
  ++pushed_;
  return true;
}

bool TransportInbox::push(Outgoing&& message) {
  const std::lock_guard lock(mutex_);
  if (!count_locked(message)) return false;
  work_.messages.push_back(std::move(message));
  wake_locked();
  return true;
}

std::size_t TransportInbox::push(std::vector<Outgoing>& messages) {
  if (messages.empty()) return 0;
  const std::lock_guard lock(mutex_);
  std::size_t taken = 0;
  for (; taken < messages.size() && count_locked(messages[taken]); ++taken)
    work_.messages.push_back(std::move(messages[taken]));
  if (taken > 0) wake_locked();
  return taken;
}

void TransportInbox::settle(Settlement settlement) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  settlement.after = pushed_;
  work_.settlements.push_back(settlement);
  settled_ = true;
  wake_locked();
}

void TransportInbox::acknowledge(const std::vector<Delivery>& deliveries) {
  if (deliveries.empty()) return;
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  for (const Delivery& each : deliveries) work_.settlements.push_back({each, Verdict::ack, false, pushed_});
  if (!soon_) wake_locked();
}

void TransportInbox::post(std::optional<SteadyTime> when, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  work_.posts.emplace_back(when, std::move(work));
  wake_locked();
}

void TransportInbox::pause(bool paused) {
  const std::lock_guard lock(mutex_);
  work_.paused = paused;
  changed_ = true;
  wake_locked();
}

void TransportInbox::poke() {
  const std::lock_guard lock(mutex_);
  changed_ = true;
  wake_locked();
}

void TransportInbox::stop() {
  const std::lock_guard lock(mutex_);
  work_.stop = true;
  changed_ = true;
  wake_locked();
}

void TransportInbox::close() {
  Work dropped;  // destroyed after the lock is released, because dropped work may contain replies that call this object
  const std::lock_guard lock(mutex_);
  closed_ = work_.stop = true;
  std::swap(dropped.messages, work_.messages);
  std::swap(dropped.settlements, work_.settlements);
  std::swap(dropped.posts, work_.posts);
}

void TransportInbox::take(Work& work) {
  work.messages.clear();
  work.settlements.clear();
  work.posts.clear();
  const std::lock_guard lock(mutex_);
  std::swap(work.messages, work_.messages);
  std::swap(work.settlements, work_.settlements);
  std::swap(work.posts, work_.posts);
  work.paused = work_.paused;
  work.stop = work_.stop;
  changed_ = settled_ = false;
}

bool TransportInbox::news_locked(bool soon) const {
  return changed_ || settled_ || !work_.messages.empty() || !work_.posts.empty() ||
         (!soon && !work_.settlements.empty());
}

bool TransportInbox::may_sleep(bool soon) {
  const std::lock_guard lock(mutex_);
  if (news_locked(soon)) return false;
  asleep_ = true;
  soon_ = soon;
  return true;
}

void TransportInbox::awake() {
  {
    const std::lock_guard lock(mutex_);
    asleep_ = soon_ = false;
  }
  std::uint64_t count;
  (void)!::read(event_->get(), &count, sizeof count);
}

}  // namespace nuropb::mesh
