#include "meshd/timers.hpp"

#include <algorithm>

namespace nuropb::meshd {

void Timers::Timer::at(SteadyTime when, std::function<void()> work) {
  cancel();
  when_ = when;
  work_ = std::move(work);
  timers_.armed_.emplace(when_, this);
  timers_.wait();
}

void Timers::Timer::after(std::chrono::steady_clock::duration wait, std::function<void()> work) {
  at(timers_.clock_.now() + wait, std::move(work));
}

void Timers::Timer::cancel() {
  if (!work_) return;
  timers_.armed_.erase({when_, this});
  work_ = nullptr;
}

void Timers::run_due() {
  const SteadyTime now = clock_.now();
  while (!armed_.empty() && armed_.begin()->first <= now) {
    Timer* const timer = armed_.begin()->second;
    armed_.erase(armed_.begin());
    // Taken out first, because the work may arm this timer again, or destroy it.
    const auto work = std::exchange(timer->work_, nullptr);
    work();
  }
}

/// Makes Asio wait for the earliest timer. A wait that ends early, because its timer was cancelled, is harmless.
void Timers::wait() {
  const SteadyTime earliest = next();
  if (earliest >= waits_until_) return;
  waits_until_ = earliest;
  wait_.expires_after(std::max(earliest - clock_.now(), std::chrono::steady_clock::duration::zero()));
  wait_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    waits_until_ = SteadyTime::max();
    run_due();
    wait();
  });
}

}  // namespace nuropb::meshd
