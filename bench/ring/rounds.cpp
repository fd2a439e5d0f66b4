#include "bench/ring/rounds.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace nuropb::bench {
namespace {

struct Gate {
  std::atomic<int> sender_is_there{0};
  std::atomic<int> open{0};
};

void wait_for(const std::atomic<int>& flag, pid_t child) {
  while (flag.load(std::memory_order_acquire) == 0) {
    if (child != 0 && ::waitpid(child, nullptr, WNOHANG) == child) fail("the sender died");
    ::sched_yield();
  }
}

}  // namespace

double run_round(Factory make, std::size_t size, std::uint64_t count) {
  using Clock = std::chrono::steady_clock;
  Shared<Gate> gate;
  const auto transport = make(size);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail("can't fork");
  if (child == 0) {
    gate->sender_is_there.store(1, std::memory_order_release);
    while (gate->open.load(std::memory_order_acquire) == 0) {
      if (::getppid() != parent) ::_exit(1);
      ::sched_yield();
    }
    transport->send(count);
    ::_exit(0);
  }
  wait_for(gate->sender_is_there, child);
  const auto from = Clock::now();
  gate->open.store(1, std::memory_order_release);
  transport->receive(count);
  const std::chrono::duration<double, std::nano> took = Clock::now() - from;
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("the sender failed");
  return took.count() / static_cast<double>(count);
}

std::uint64_t count_for(Factory make, std::size_t size, double milliseconds) {
  const double ns = run_round(make, size, 20'000);
  return static_cast<std::uint64_t>(std::clamp(milliseconds * 1e6 / ns, 1'000.0, 20e6));
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2, values.front(), values.back()};
}

}  // namespace nuropb::bench
