#pragma once
// Software prefetching for fan-out: a message to thousands of handlers follows a cold chain of pointers per socket, and
// each access waits for memory. So the state of the next handlers is prefetched while the current one is written to.
// bench/README.md has the measurements.

#include <cstddef>

#include "edge/sessions/handler.hpp"

namespace nuropb::edge {

/// Runs `work` on `count` handlers; `at(n)` is the n-th, or nullptr if there is none. No handler may be destroyed
/// meanwhile.
template <class At, class Work>
void for_each_ahead(std::size_t count, At&& at, Work&& work) {
  // Handlers between one prefetch stage and the next: about one memory latency.
  constexpr std::size_t apart = 3;
  const auto fetch = [&](std::size_t n, unsigned step) {
    if (n >= count) return;
    if (const auto* const handler = at(n)) handler->fetch(step);
  };
  const auto begin = [&](std::size_t n) {
    if (n >= count) return;
    const auto* const memory = reinterpret_cast<const char*>(at(n));
    if (!memory) return;
    __builtin_prefetch(memory);
    __builtin_prefetch(memory + 64);
    __builtin_prefetch(memory + 128);
  };
  for (std::size_t n = 0; n < count; ++n) {
    begin(n + 4 * apart);
    fetch(n + 3 * apart, 0);
    fetch(n + 2 * apart, 1);
    fetch(n + apart, 2);
    if (auto* const handler = at(n)) work(*handler);
  }
}

}  // namespace nuropb::edge
