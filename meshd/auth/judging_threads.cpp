#include "meshd/auth/judging_threads.hpp"

namespace nuropb::meshd {

void JudgingThreads::start() {
  for (std::size_t i = 0; i < count_; ++i) threads_.emplace_back([this, i] { run(i); });
}

void JudgingThreads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool JudgingThreads::add(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || queue_.size() >= bound_) return false;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void JudgingThreads::run(std::size_t thread) {
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (stopped_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work(thread);
  }
}

}  // namespace nuropb::meshd
