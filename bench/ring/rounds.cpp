#include "bench/ring/rounds.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>

namespace nuropb::bench {
namespace {

constexpr double most_waiting = 0.05;  // as a fraction of a round's time; above it the round counts as disturbed

struct Gate {
  std::atomic<int> sender_is_there{0};
  std::atomic<int> open{0};
  std::atomic<long> waited{0};  ///< ns in which the sender could not run
};

/// How long this process has been runnable without running, in ns: the kernel's own accounting, or the number of
/// involuntary context switches if it has none.
long kept_waiting() {
  static std::FILE* file = nullptr;
  static pid_t whose = 0;
  if (whose != ::getpid()) {
    whose = ::getpid();
    file = std::fopen("/proc/self/schedstat", "re");
  }
  long running = 0, waiting = 0;
  if (file && std::fseek(file, 0, SEEK_SET) == 0 && std::fflush(file) == 0 &&
      std::fscanf(file, "%ld %ld", &running, &waiting) == 2)
    return waiting;
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  return use.ru_nivcsw * 1'000'000;
}

/// Pins the receiver to the first available core and the sender to the second. The scheduler would sometimes put both
/// on one core, where nothing is transferred between caches: another and faster benchmark.
void take_core(int which) {
  cpu_set_t allowed, one;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || which-- > 0) continue;
    CPU_SET(cpu, &one);
    break;
  }
  ::sched_setaffinity(0, sizeof one, &one);
}

void wait_for(const std::atomic<int>& flag, pid_t child) {
  while (flag.load(std::memory_order_acquire) == 0) {
    if (child != 0 && ::waitpid(child, nullptr, WNOHANG) == child) fail("the sender died");
    ::sched_yield();
  }
}

}  // namespace

Round run_round(Factory make, std::size_t size, std::uint64_t count, Cores cores) {
  using Clock = std::chrono::steady_clock;
  Shared<Gate> gate;
  const auto transport = make(size);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail("can't fork");
  if (child == 0) {
    take_core(cores == Cores::own ? 1 : 0);
    gate->sender_is_there.store(1, std::memory_order_release);
    while (gate->open.load(std::memory_order_acquire) == 0) {
      if (::getppid() != parent) ::_exit(1);
      ::sched_yield();
    }
    const long before = kept_waiting();
    transport->send(count);
    gate->waited.store(kept_waiting() - before, std::memory_order_release);
    ::_exit(0);
  }
  cpu_set_t everywhere;
  const bool known = ::sched_getaffinity(0, sizeof everywhere, &everywhere) == 0;
  take_core(0);
  wait_for(gate->sender_is_there, child);
  const long before = kept_waiting();
  const auto from = Clock::now();
  gate->open.store(1, std::memory_order_release);
  transport->receive(count);
  const std::chrono::duration<double, std::nano> took = Clock::now() - from;
  const long waited = kept_waiting() - before;
  if (known) ::sched_setaffinity(0, sizeof everywhere, &everywhere);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail("the sender failed");
  return {took.count() / static_cast<double>(count),
          cores == Cores::own && static_cast<double>(std::max(waited, gate->waited.load(std::memory_order_acquire))) >
                                     most_waiting * took.count()};
}

std::uint64_t count_for(Factory make, std::size_t size, double milliseconds, Cores cores) {
  const double ns = run_round(make, size, 5'000, cores).ns;
  return static_cast<std::uint64_t>(std::clamp(milliseconds * 1e6 / ns, 200.0, 20e6));
}

Spread spread_of(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  return {values[static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1) + 0.5)], values.front(),
          values.back()};
}

}  // namespace nuropb::bench
