// The other side of a ring writes arbitrary data: nothing may crash, read out of bounds, or loop forever.

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "shm/ring.hpp"
#include "tests/unit/shm/ring_memory.hpp"

namespace nuropb::shm {
namespace {

using test::RingMemory;

RingReader::Next look(RingReader& reader) {
  RecordHeader header;
  return reader.peek(header);
}

TEST(HostileProducer, ATailThatNoWriterPublishesPoisonsTheRing) {
  const std::uint64_t tails[] = {1, 8, 15, 4096 + 16, 1ULL << 40, ~0ULL, ~0ULL - 15, 1ULL << 63};
  for (const std::uint64_t tail : tails) {
    RingMemory memory(4096);
    auto reader = memory.reader();
    memory.tail.store(tail);
    EXPECT_EQ(look(reader), RingReader::Next::poisoned) << tail;
    memory.tail.store(0);
    EXPECT_EQ(look(reader), RingReader::Next::poisoned) << "for good: no resynchronisation";
  }
}

TEST(HostileProducer, ATailThatMovesBackwardsPoisonsTheRing) {
  RingMemory memory(4096, 4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  ASSERT_TRUE(writer.write(1, 0, 0, {"x"}));
  (void)writer.commit();
  RecordHeader header;
  ASSERT_EQ(reader.peek(header), RingReader::Next::record);
  std::string payload;
  reader.take(header, payload);
  memory.tail.store(4096);
  EXPECT_EQ(look(reader), RingReader::Next::poisoned);
}

TEST(HostileProducer, ALengthBeyondWhatIsPublishedPoisonsTheRing) {
  const std::uint32_t lengths[] = {17, 32, 4096, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
  for (const std::uint32_t length : lengths) {
    RingMemory memory(4096);
    auto reader = memory.reader();
    memory.forge(0, {length, 1, 0, 0});
    memory.tail.store(32);  // one record of at most 16 bytes
    EXPECT_EQ(look(reader), RingReader::Next::poisoned) << length;
  }
}

TEST(HostileProducer, ALengthThatFitsIsReadWithinTheRingWhereverItLies) {
  for (std::uint64_t start = 0; start < 4096; start += 16) {
    RingMemory memory(4096, start);
    auto reader = memory.reader();
    memory.forge(start, {4096 - 16, 1, 0, 0});
    memory.tail.store(start + 4096);
    RecordHeader header;
    ASSERT_EQ(reader.peek(header), RingReader::Next::record);
    std::string payload;
    reader.take(header, payload);  // the guard pages detect an overrun
    EXPECT_EQ(payload.size(), 4080u);
    EXPECT_EQ(look(reader), RingReader::Next::empty);
  }
}

TEST(HostileProducer, PoisonByTheCallerIsForGood) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  auto reader = memory.reader();
  ASSERT_TRUE(writer.write(999, 0, 0, {"x"}));
  (void)writer.commit();
  reader.poison();
  EXPECT_EQ(look(reader), RingReader::Next::poisoned);
  EXPECT_TRUE(reader.prepare_sleep()) << "nothing to stay awake for";
}

TEST(HostileConsumer, AHeadThatNoReaderReleasesPoisonsTheRing) {
  const std::uint64_t heads[] = {8, 64, 4096, 1ULL << 40, ~0ULL, ~0ULL - 15};
  for (const std::uint64_t head : heads) {
    RingMemory memory(4096);
    auto writer = memory.writer();
    ASSERT_TRUE(writer.write(1, 0, 0, {"x"}));  // 32 bytes
    (void)writer.commit();
    memory.head.store(head);
    EXPECT_TRUE(writer.await_space(10)) << head;
    EXPECT_TRUE(writer.poisoned()) << head;
    EXPECT_FALSE(writer.write(1, 0, 1, {"y"}));
    EXPECT_FALSE(writer.commit());
  }
}

TEST(HostileConsumer, AHeadThatMovesBackwardsPoisonsTheRing) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  ASSERT_TRUE(writer.write(1, 0, 0, {"x"}));
  ASSERT_TRUE(writer.write(1, 0, 1, {"x"}));
  (void)writer.commit();
  memory.head.store(32);
  EXPECT_EQ(writer.depth(), 32u);
  memory.head.store(0);
  (void)writer.depth();
  EXPECT_TRUE(writer.poisoned());
}

/// Malformed data of every kind, many times: the reader always stops after a bounded number of records.
TEST(HostileProducer, RandomRubbishNeverGoesOnForEver) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 3000; ++round) {
    RingMemory memory(4096, (random() % 1000) * 16);
    auto reader = memory.reader();
    for (std::size_t i = 0; i < 4096; i += 8) {
      // Often small numbers, because lengths that may fit are the interesting ones.
      const std::uint64_t word = random() % 2 ? random() : random() % 64;
      std::memcpy(memory.data() + i, &word, sizeof word);
    }
    memory.tail.store(reader.head() + (random() % 3 ? (random() % 257) * 16 : random()));
    RecordHeader header;
    std::string payload;
    int records = 0;
    while (reader.peek(header) == RingReader::Next::record) {
      reader.take(header, payload);
      ASSERT_LE(payload.size(), 4096u);
      ASSERT_LE(++records, 256);
      (void)reader.release();
    }
  }
}

TEST(HostileProducer, ATailThatFlickersDoesNotKeepTheReaderAwake) {
  RingMemory memory(4096);
  auto reader = memory.reader();
  int looks = 0;
  for (bool asleep = false; looks < 100 && !asleep; ++looks) {
    memory.tail.store(64);
    asleep = reader.prepare_sleep();
    memory.tail.store(0);
    RecordHeader header;
    std::string payload;
    if (reader.peek(header) == RingReader::Next::record) reader.take(header, payload);
  }
  EXPECT_LE(looks, 5) << "what was seen once counts: four empty records, and then sleep";
  EXPECT_EQ(look(reader), RingReader::Next::poisoned) << "for its tail has moved backwards";
}

TEST(HostileProducer, AnImpossibleTailFoundBeforeSleepIsNotSleptOn) {
  RingMemory memory(4096);
  auto reader = memory.reader();
  memory.tail.store(~0ULL);
  EXPECT_FALSE(reader.prepare_sleep()) << "look again, and see";
  EXPECT_EQ(look(reader), RingReader::Next::poisoned);
}

/// Whatever a peer writes into its waiting words, it gets at most one doorbell per word.
TEST(HostileConsumer, WaitingWordsOfAnyValueCostADoorbellAtMost) {
  RingMemory memory(4096);
  auto writer = memory.writer();
  std::uint64_t n = 0;
  for (const std::uint64_t word : {1ULL, 2ULL, ~0ULL, ~0ULL - 1, 1ULL << 63, 7ULL}) {
    memory.waiting.store(word);
    ASSERT_TRUE(writer.write(1, 0, n++, {"x"}));
    EXPECT_EQ(writer.commit(), word % 2 == 1) << word;
    ASSERT_TRUE(writer.write(1, 0, n++, {"x"}));
    EXPECT_FALSE(writer.commit()) << word;
  }
}

/// The same with concurrent modification: headers, payloads and positions change between any two reads.
TEST(HostileProducer, ScribblingWhileItIsReadIsHarmless) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "an intended race: the reader copies first and validates the copy";
#endif
  RingMemory memory(4096);
  std::atomic<bool> started{false}, ended{false};
  std::thread scribbler([&] {
    started = true;
    std::mt19937_64 random(5);
    std::uint64_t tail = 0;
    for (int i = 0; i < 2'000'000; ++i) {
      // volatile bytes, as another process would write them
      auto* const data = reinterpret_cast<volatile std::uint32_t*>(memory.data());
      data[random() % 1024] = static_cast<std::uint32_t>(random() % 3 ? random() % 128 : random());
      if (random() % 8 == 0) memory.tail.store(tail += 16 * (random() % 8), std::memory_order_relaxed);
    }
    ended = true;
  });
  while (!started) std::this_thread::yield();
  std::string payload;
  std::uint64_t records = 0, poisoned = 0;
  for (std::uint64_t round = 0; round < 20'000 || !ended; ++round) {
    // Almost a full ring of malformed data ahead of the reader, however the two threads are scheduled.
    const std::uint64_t tail = memory.tail.load();
    memory.head.store(tail > 4000 ? tail - 4000 : 0);
    auto reader = memory.reader();
    RecordHeader header;
    int i = 0;
    for (; i < 1000 && reader.peek(header) == RingReader::Next::record; ++i) {
      reader.take(header, payload);
      ASSERT_LE(payload.size(), 4096u);
      if (i % 4 == 0) (void)reader.release();
      ++records;
    }
    if (!reader.prepare_sleep()) reader.cancel_sleep();
    poisoned += reader.poisoned();
  }
  scribbler.join();
  EXPECT_GT(records, 1000u);
  EXPECT_GT(poisoned, 1000u);
}

}  // namespace
}  // namespace nuropb::shm
