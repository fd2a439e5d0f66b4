#pragma once
// The common interface of ways to pass messages from one process to another. A transport is created before the fork;
// then one process calls send(), the other receive(). Both loop over all messages of a round, so that the transport is
// measured and not a virtual call.

#include <sched.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace nuropb::bench {

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  virtual void send(std::uint64_t count) = 0;
  virtual void receive(std::uint64_t count) = 0;
};

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "bench_ring: %s\n", what);
  std::_Exit(1);
}

/// Message n begins with n and ends with ~n, so that the receiver reads both ends of every message.
inline void stamp(char* message, std::size_t size, std::uint64_t n) {
  const std::uint64_t last = ~n;
  std::memcpy(message, &n, sizeof n);
  std::memcpy(message + size - sizeof last, &last, sizeof last);
}
inline void check(const char* message, std::size_t size, std::size_t expected_size, std::uint64_t n) {
  std::uint64_t first = 0, last = 0;
  if (size != expected_size) fail("a message has the wrong size");
  std::memcpy(&first, message, sizeof first);
  std::memcpy(&last, message + size - sizeof last, sizeof last);
  if (first != n || last != ~n) fail("a message is not what was sent");
}

/// How a transport without blocking waits: a short spin, then it yields the processor.
class Spin {
 public:
  void wait() {
    if (++turns_ % 128 != 0) __builtin_ia32_pause();
    else ::sched_yield();
  }

 private:
  unsigned turns_ = 0;
};

/// A T in anonymous memory that is shared across a fork.
template <class T>
class Shared {
 public:
  Shared() {
    void* const at =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) fail("no shared memory");
    object_ = new (at) T();
  }
  ~Shared() {
    object_->~T();
    ::munmap(object_, sizeof(T));
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() { return object_; }

 private:
  T* object_;
};

/// Buffer size for messages in flight, for transports where it can be chosen.
constexpr std::size_t buffer_bytes = 1U << 20;

using Factory = std::unique_ptr<Transport> (*)(std::size_t size);

// One way.
std::unique_ptr<Transport> ring_in_batches(
    std::size_t size);  ///< 16 records to a commit; spins a little, sleeps, is woken by doorbells
std::unique_ptr<Transport> ring_one_by_one(std::size_t size);  ///< a commit per record; otherwise the same
std::unique_ptr<Transport> ring_spinning(std::size_t size);    ///< a commit per record; never sleeps, like spsc_queue
std::unique_ptr<Transport> spsc_queue(std::size_t size);       ///< boost::lockfree, spins
std::unique_ptr<Transport> message_queue(std::size_t size);    ///< boost::interprocess, sleeps on its condition
std::unique_ptr<Transport> seqpacket(std::size_t size);        ///< a Unix socket, sleeps in the kernel

// Round trips, 64 bytes in each direction whatever `size` says; count is the number of round trips.
std::unique_ptr<Transport> ring_round_trip_spinning(std::size_t size);
std::unique_ptr<Transport> ring_round_trip_sleeping(std::size_t size);  ///< both sides sleep, woken by doorbells
std::unique_ptr<Transport> spsc_round_trip(std::size_t size);           ///< two queues; spins
std::unique_ptr<Transport> eventfd_round_trip(std::size_t size);        ///< two eventfds and no message; sleeps
// The same two in event loops that could wait for other descriptors as well.
std::unique_ptr<Transport> ring_round_trip_in_loops(std::size_t size);
std::unique_ptr<Transport> eventfd_round_trip_in_loops(std::size_t size);

}  // namespace nuropb::bench
