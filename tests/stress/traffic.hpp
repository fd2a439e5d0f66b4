#pragma once
// Records with verifiable content, and the two ends of a doorbell.

#include <poll.h>
#include <signal.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "shm/doorbell.hpp"

namespace nuropb::shm::test {

/// Payload of record n: its length and every byte are derived from n. Mostly short, sometimes up to `largest`.
inline void payload_of(std::uint64_t n, std::size_t largest, std::string& out) {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ULL + 1;
  x ^= x >> 29;
  const std::size_t size = x % 64 == 0 ? (x >> 6) % (largest + 1) : (x >> 6) % 300;
  out.resize(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(x + i * 131);
}

inline std::pair<Doorbell, Doorbell> doorbell() {
  ::signal(SIGPIPE, SIG_IGN);
  auto made = Doorbell::pair();
  if (!made) std::abort();
  return std::move(*made);
}

/// Sleeps until rung. Returns false if the other side has ended.
inline bool sleep_on(Doorbell& bell) {
  pollfd p{bell.fd(), POLLIN, 0};
  ::poll(&p, 1, -1);
  return bell.hear().has_value();
}

}  // namespace nuropb::shm::test
