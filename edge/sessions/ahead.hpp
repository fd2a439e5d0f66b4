#pragma once
// One message to many handlers meets memory that nobody has used for a while: of ten thousand sockets none is in the caches,
// and each of the things that are found by way of another is waited for. So what the next handlers will need is asked for
// while others are written to. bench/README.md has what that brings.

#include <cstddef>

#include "edge/sessions/handler.hpp"

namespace nuropb::edge {

/// Runs `work` on all of `count` handlers; `at(n)` is the n-th, or nullptr: none. No handler may end meanwhile.
template <class At, class Work>
void for_each_ahead(std::size_t count, At&& at, Work&& work) {
  constexpr std::size_t apart = 3;  // handlers between one step and the next: about as long as memory takes
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
