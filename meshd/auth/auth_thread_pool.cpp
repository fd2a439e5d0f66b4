#include "meshd/auth/auth_thread_pool.hpp"

namespace nuropb::meshd {

void AuthThreadPool::start() {
  for (std::size_t i = 0; i < count_; ++i) threads_.emplace_back([this, i] { run(i); });
}

void AuthThreadPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool AuthThreadPool::add(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || queue_.size() >= bound_) return false;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void AuthThreadPool::run(std::size_t thread) {
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
