#pragma once
// Memory for one ring in a test: exactly sized, between guard pages, so that an out-of-bounds access ends the test.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "shm/ring.hpp"

namespace nuropb::shm::test {

class RingMemory {
 public:
  explicit RingMemory(std::uint64_t capacity, std::uint64_t start = 0) : capacity_(capacity) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    // Only whole pages can be guarded; smaller rings end at the guard, which is where overruns happen.
    const std::size_t body = (capacity + page - 1) / page * page;
    size_ = body + 2 * page;
    base_ = static_cast<std::byte*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) std::abort();
    ::mprotect(base_, page, PROT_NONE);
    ::mprotect(base_ + page + body, page, PROT_NONE);
    data_ = base_ + page + body - capacity;
    tail.store(start);
    head.store(start);
  }
  ~RingMemory() { ::munmap(base_, size_); }
  RingMemory(const RingMemory&) = delete;

  RingWriter writer() { return RingWriter({data_, capacity_, &tail, &want_space, &head, &waiting}); }
  RingReader reader() { return RingReader({data_, capacity_, &tail, &want_space, &head, &waiting}); }
  std::byte* data() { return data_; }
  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  /// Writes a header at a position without any check, as a hostile writer would.
  void forge(std::uint64_t position, const RecordHeader& header) {
    std::memcpy(data_ + (position & (capacity_ - 1)), &header, sizeof header);
  }

  Word tail{0}, head{0}, waiting{0}, want_space{0};

 private:
  std::uint64_t capacity_;
  std::size_t size_ = 0;
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace nuropb::shm::test
