// The consumer of a ring whose memory and positions are the input: 8 bytes for the tail, 8 for the start, the rest for
// the ring's bytes.

#include <algorithm>
#include <cstring>
#include <vector>

#include "common/records.hpp"
#include "shm/ring.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t capacity = 4096;
  std::uint64_t tail = 0, start = 0;
  if (size < 16) return 0;
  std::memcpy(&tail, data, 8);
  std::memcpy(&start, data + 8, 8);
  std::vector<std::byte> memory(capacity);
  std::memcpy(memory.data(), data + 16, std::min<std::size_t>(size - 16, capacity));
  shm::Word tail_word{0}, head{start & ~std::uint64_t{15}}, waiting{0}, want_space{0};
  shm::RingReader reader({memory.data(), capacity, &tail_word, &want_space, &head, &waiting});
  tail_word.store(tail);
  shm::RecordHeader header;
  std::string payload;
  std::uint64_t records = 0;
  while (reader.peek(header) == shm::RingReader::Next::record) {
    fuzz::must(++records <= capacity / 16, "no more records than the ring holds");
    const auto bounds = records::bounds_to_meshd(header.type, 2048);
    if (!bounds || header.length < bounds->minimum || header.length > bounds->maximum) {
      reader.poison();
      break;
    }
    reader.take(header, payload);
    (void)records::decode<records::Request>(payload);
    (void)records::decode<records::OpenSession>(payload);
    (void)records::decode<records::CloseSession>(payload);
  }
  (void)reader.release();
  (void)reader.prepare_sleep();
  return 0;
}
