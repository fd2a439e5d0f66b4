#include "shm/ring.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <deque>
#include <random>

#include "tests/unit/shm/ring_memory.hpp"

namespace nuropb::shm {
namespace {

using test::RingMemory;

std::string pattern(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(seed * 31 + i * 7);
  return out;
}

/// Takes the next record and checks it.
void expect_record(RingReader& reader, std::uint16_t type, std::uint64_t sequence, const std::string& payload) {
  RecordHeader header;
  ASSERT_EQ(reader.peek(header), RingReader::Next::record);
  EXPECT_EQ(header.type, type);
  EXPECT_EQ(header.sequence, sequence);
  ASSERT_EQ(header.length, payload.size());
  std::string got;
  reader.take(header, got);
  EXPECT_EQ(got, payload);
}

void expect_empty(RingReader& reader) {
  RecordHeader header;
  EXPECT_EQ(reader.peek(header), RingReader::Next::empty);
}

TEST(Ring, WhatAReaderLeftCanBeReadAgainByItsWriter) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  std::vector<std::uint64_t> ends;
  for (unsigned n = 0; n < 40; ++n) {  // several times around the ring
    const std::string payload = pattern(700 + n, n);
    ASSERT_TRUE(writer.write(static_cast<std::uint16_t>(n), 0, n, {payload}));
    ends.push_back(writer.staged());
    if (n % 2) (void)writer.commit();  // published or not
    if (n < 3) continue;
    const auto left = writer.written_since(reader.head());
    ASSERT_EQ(left.size(), 4u);
    for (std::size_t i = 0; i < left.size(); ++i) {
      const unsigned which = n - 3 + static_cast<unsigned>(i);
      EXPECT_EQ(left[i].header.type, which);
      EXPECT_EQ(left[i].header.sequence, which);
      EXPECT_EQ(left[i].payload, pattern(700 + which, which));
      EXPECT_EQ(left[i].end, ends[which]);
    }
    (void)writer.commit();
    expect_record(reader, static_cast<std::uint16_t>(n - 3), n - 3, pattern(700 + n - 3, n - 3));
    (void)reader.release();
  }
}

TEST(Ring, PositionsThatNoReaderCanHaveHadShowNothing) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  ASSERT_TRUE(writer.write(1, 0, 1, {std::string(100, '\xff')}));
  (void)writer.commit();
  EXPECT_EQ(writer.written_since(0).size(), 1u);
  EXPECT_TRUE(writer.written_since(writer.staged()).empty());
  for (const std::uint64_t wrong :
       {std::uint64_t{8}, std::uint64_t{32}, writer.staged() + 16, std::uint64_t{1} << 63, ~std::uint64_t{15}}) {
    EXPECT_TRUE(writer.written_since(wrong).empty()) << wrong;
  }
}

TEST(Ring, ARecordComesOutAsItWentIn) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  expect_empty(reader);
  ASSERT_TRUE(writer.write(7, 3, 42, {"abc", "", "defg"}));
  expect_empty(reader);  // staged, not published
  (void)writer.commit();
  RecordHeader header;
  ASSERT_EQ(reader.peek(header), RingReader::Next::record);
  EXPECT_EQ(header.flags, 3);
  expect_record(reader, 7, 42, "abcdefg");
  expect_empty(reader);
}

// (start position, payload) → the tail afterwards and whether the payload wraps. The ring has 4096 bytes.
struct Place {
  const char* name;
  std::uint64_t start;
  std::size_t payload;
  std::uint64_t tail;
};
class RingPlaces : public ::testing::TestWithParam<Place> {};

TEST_P(RingPlaces, WritesAndReadsThere) {
  const Place& place = GetParam();
  RingMemory memory(4096, place.start);
  auto writer = memory.writer();
  auto reader = memory.reader();
  const std::string payload = pattern(place.payload, 1);
  ASSERT_TRUE(writer.write(1, 0, 9, {payload}));
  (void)writer.commit();
  EXPECT_EQ(memory.tail.load(), place.tail);
  expect_record(reader, 1, 9, payload);
  EXPECT_FALSE(reader.release());
  EXPECT_EQ(memory.head.load(), place.tail);
  EXPECT_EQ(writer.depth(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Ring, RingPlaces,
    ::testing::Values(Place{"index 0", 0, 10, 32}, Place{"index 0, nothing in it", 0, 0, 16},
                      Place{"exactly one unit", 0, 16, 32},
                      Place{"header in the last 16 bytes, no payload", 4080, 0, 4096},
                      Place{"header in the last 16 bytes, payload at the start", 4080, 100, 4080 + 128},
                      Place{"payload wraps after one byte's unit", 4064, 100, 4064 + 128},
                      Place{"payload ends exactly at the end", 4096 - 128, 112, 4096},
                      Place{"the largest payload", 0, 4096 / 2 - 16, 2048},
                      Place{"the largest payload, wrapping", 3072, 4096 / 2 - 16, 3072 + 2048},
                      Place{"far along", 4096ULL * 1'000'003 + 4080, 50, 4096ULL * 1'000'003 + 4080 + 80},
                      Place{"beyond 32 bits", (1ULL << 40) - 16, 50, (1ULL << 40) - 16 + 80}),
    [](const auto& place) {
      std::string name = place.param.name;
      for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
      return name;
    });

TEST(Ring, FullToTheLastByteAndNotFurther) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  const std::string payload(48, 'x');  // 64 bytes with its header
  for (std::uint64_t i = 0; i < 64; ++i) ASSERT_TRUE(writer.write(1, 0, i, {payload})) << i;
  EXPECT_FALSE(writer.write(1, 0, 64, {payload}));
  EXPECT_FALSE(writer.write(1, 0, 64, {""}));
  (void)writer.commit();
  EXPECT_EQ(writer.depth(), 4096u);
  expect_record(reader, 1, 0, payload);
  EXPECT_FALSE(writer.write(1, 0, 64, {payload})) << "room counts from release, not from take";
  (void)reader.release();
  EXPECT_TRUE(writer.write(1, 0, 64, {payload}));
  (void)writer.commit();
  for (std::uint64_t i = 1; i <= 64; ++i) expect_record(reader, 1, i, payload);
  expect_empty(reader);
}

TEST(Ring, APayloadLargerThanHalfTheRingNeverFits) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  EXPECT_FALSE(writer.write(1, 0, 0, {std::string(writer.max_payload() + 1, 'x')}));
  EXPECT_TRUE(writer.write(1, 0, 0, {std::string(writer.max_payload(), 'x')}));
}

TEST(Ring, TheWriterRingsASleepingReaderOnce) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  const auto put = [&](std::uint64_t n) {
    EXPECT_TRUE(writer.write(1, 0, n, {"x"}));
    return writer.commit();
  };
  EXPECT_FALSE(put(0)) << "the reader is awake";
  EXPECT_FALSE(reader.prepare_sleep()) << "there is something to read";
  EXPECT_EQ(memory.waiting.load() % 2, 0u) << "so it stays awake";
  EXPECT_FALSE(put(1));
  expect_record(reader, 1, 0, "x");
  expect_record(reader, 1, 1, "x");

  EXPECT_TRUE(reader.prepare_sleep());
  EXPECT_EQ(memory.waiting.load() % 2, 1u);
  EXPECT_TRUE(put(2));
  EXPECT_FALSE(put(3)) << "it was rung already for this sleep";
  reader.cancel_sleep();
  EXPECT_EQ(memory.waiting.load() % 2, 0u);
  EXPECT_FALSE(put(4));
  for (std::uint64_t n = 2; n <= 4; ++n) expect_record(reader, 1, n, "x");

  EXPECT_TRUE(reader.prepare_sleep());
  EXPECT_TRUE(put(5)) << "another sleep, another doorbell";
  expect_record(reader, 1, 5, "x");
  EXPECT_TRUE(reader.prepare_sleep()) << "asleep again without having said that it woke";
  EXPECT_TRUE(put(6)) << "which is another sleep too";
  EXPECT_FALSE(writer.commit()) << "nothing new";
}

TEST(Ring, AnotherReaderOfTheSameRingIsRungToo) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  for (std::uint64_t n = 0; n < 3; ++n) {
    auto reader = memory.reader();  // its count continues where the previous one's stopped, asleep or not
    EXPECT_EQ(memory.waiting.load() % 2, 0u);
    EXPECT_TRUE(reader.prepare_sleep());
    ASSERT_TRUE(writer.write(1, 0, n, {"x"}));
    EXPECT_TRUE(writer.commit());
    expect_record(reader, 1, n, "x");
    (void)reader.release();
  }
}

TEST(Ring, TheReaderRingsAWriterThatWantsRoomOnce) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  const std::string payload(1000, 'x');  // 1,016 bytes with its header: four fit
  for (std::uint64_t n = 0; n < 4; ++n) ASSERT_TRUE(writer.write(1, 0, n, {payload}));
  ASSERT_FALSE(writer.write(1, 0, 4, {payload}));
  (void)writer.commit();
  expect_record(reader, 1, 0, payload);
  EXPECT_FALSE(reader.release()) << "no side has asked for room yet";
  EXPECT_FALSE(writer.await_space(payload.size())) << "the re-check sees the room";
  EXPECT_EQ(memory.want_space.load() % 2, 0u);

  const std::string large(1900, 'x');
  ASSERT_FALSE(writer.write(1, 0, 4, {large}));
  EXPECT_TRUE(writer.await_space(large.size()));
  EXPECT_EQ(memory.want_space.load() % 2, 1u);
  EXPECT_FALSE(reader.release()) << "nothing was taken";
  expect_record(reader, 1, 1, payload);
  EXPECT_TRUE(reader.release());
  EXPECT_FALSE(writer.await_space(large.size()));
  ASSERT_TRUE(writer.write(1, 0, 4, {large}));
  ASSERT_FALSE(writer.write(1, 0, 5, {large}));
  (void)writer.commit();
  EXPECT_TRUE(writer.await_space(large.size()));
  expect_record(reader, 1, 2, payload);
  EXPECT_TRUE(reader.release());
  expect_record(reader, 1, 3, payload);
  EXPECT_FALSE(reader.release()) << "it was rung already for this wait";
  EXPECT_TRUE(writer.write(1, 0, 5, {large})) << "there is room, whichever side reports it";
  EXPECT_EQ(memory.want_space.load() % 2, 0u) << "a record that fits ends the wait";
  (void)writer.commit();
  expect_record(reader, 1, 4, large);
  EXPECT_FALSE(reader.release());
}

TEST(Ring, AWriterThatIsRungTooEarlyAsksAgain) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  for (std::uint64_t n = 0; n < 64; ++n) ASSERT_TRUE(writer.write(1, 0, n, {std::string(48, 'x')}));
  (void)writer.commit();
  EXPECT_TRUE(writer.await_space(200));  // needs four records' room
  for (std::uint64_t n = 0; n < 4; ++n) {
    RecordHeader header;
    std::string payload;
    ASSERT_EQ(reader.peek(header), RingReader::Next::record);
    reader.take(header, payload);
    EXPECT_TRUE(reader.release()) << "after record " << n;
    EXPECT_EQ(writer.await_space(200), n < 3) << "after record " << n;
  }
  EXPECT_TRUE(writer.write(1, 0, 64, {std::string(200, 'x')}));
}

TEST(Ring, AProducerThatDiedBeforeCommitLeavesNothing) {
  RingMemory memory(4096);
  {
    auto writer = memory.writer();
    ASSERT_TRUE(writer.write(1, 0, 0, {"whole"}));
    (void)writer.commit();
    ASSERT_TRUE(writer.write(1, 0, 1, {"never committed"}));
  }
  auto reader = memory.reader();
  expect_record(reader, 1, 0, "whole");
  expect_empty(reader);
}

// Any sequence of operations, compared with a queue.
class RingModel : public ::testing::TestWithParam<unsigned> {};

TEST_P(RingModel, BehavesLikeAQueue) {
  std::mt19937 random(GetParam());
  const std::uint64_t capacity = 4096ULL << (GetParam() % 3);
  RingMemory memory(capacity, (random() % 100000) * 16);
  auto writer = memory.writer();
  auto reader = memory.reader();
  struct Expected {
    std::uint16_t type;
    std::uint64_t sequence;
    std::string payload;
  };
  std::deque<Expected> staged, published;
  std::uint64_t staged_bytes = 0, unreleased = 0, in_ring = 0;  // by the model's own accounting
  std::uint64_t sequence = 0, taken = 0;
  for (int step = 0; step < 20000; ++step) {
    switch (random() % 5) {
      case 0:
      case 1: {
        const std::size_t limit = random() % 4 == 0 ? capacity / 2 + 100 : 200;
        Expected next{static_cast<std::uint16_t>(random()), sequence,
                      pattern(random() % limit, static_cast<unsigned>(sequence))};
        const std::size_t cut = next.payload.empty() ? 0 : random() % next.payload.size();
        const std::uint64_t size = record_size(next.payload.size());
        const bool fits = next.payload.size() <= writer.max_payload() && in_ring + staged_bytes + size <= capacity;
        ASSERT_EQ(
            writer.write(next.type, 0, next.sequence,
                         {std::string_view(next.payload).substr(0, cut), std::string_view(next.payload).substr(cut)}),
            fits);
        if (!fits) break;
        staged_bytes += size;
        ++sequence;
        staged.push_back(std::move(next));
        break;
      }
      case 2:
        (void)writer.commit();
        in_ring += staged_bytes;
        staged_bytes = 0;
        for (auto& e : staged) published.push_back(std::move(e));
        staged.clear();
        break;
      case 3: {
        RecordHeader header;
        const auto got = reader.peek(header);
        if (published.empty()) {
          ASSERT_EQ(got, RingReader::Next::empty);
          break;
        }
        ASSERT_EQ(got, RingReader::Next::record);
        std::string payload;
        reader.take(header, payload);
        ASSERT_EQ(header.sequence, taken++);
        ASSERT_EQ(header.type, published.front().type);
        ASSERT_EQ(payload, published.front().payload);
        unreleased += record_size(payload.size());
        published.pop_front();
        break;
      }
      case 4:
        (void)reader.release();
        in_ring -= unreleased;
        unreleased = 0;
        break;
    }
    ASSERT_FALSE(writer.poisoned());
    ASSERT_FALSE(reader.poisoned());
  }
  EXPECT_GT(taken, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RingModel, ::testing::Range(1u, 13u));

}  // namespace
}  // namespace nuropb::shm
