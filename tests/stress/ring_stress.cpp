// One ring under load: two processes over the real segments and doorbells, killed at random; two threads for TSan.
// Every record contains its expected content, so misplaced bytes are detected.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <random>
#include <thread>

#include "shm/segment.hpp"
#include "tests/stress/traffic.hpp"

namespace nuropb::shm {
namespace {

using test::doorbell;
using test::payload_of;
using test::sleep_on;

/// Writes records [0, count), sleeping while the ring is full. Returns false if the other side has ended.
bool produce(RingWriter& ring, Doorbell& bell, std::uint64_t count, std::size_t largest, unsigned seed) {
  std::mt19937 random(seed);
  std::string payload;
  for (std::uint64_t n = 0; n < count;) {
    // Batches of any size, down to one commit per record.
    std::uint64_t batch = 1 + random() % 20;
    for (; batch > 0 && n < count; --batch) {
      payload_of(n, largest, payload);
      if (!ring.write(static_cast<std::uint16_t>(n % 1000), 0, n, {payload})) {
        if (ring.commit()) bell.ring();
        while (ring.await_space(payload.size())) {
          if (!sleep_on(bell) || ring.poisoned()) return false;
        }
        continue;
      }
      ++n;
    }
    if (ring.commit()) bell.ring();
  }
  return true;
}

struct Consumed {
  std::uint64_t records = 0;
  std::uint64_t sleeps = 0;
  std::string wrong;
};

/// Reads from record `from` on until there are `count`, or the other side has ended and the ring is empty.
Consumed consume(RingReader& ring, Doorbell& bell, std::uint64_t from, std::uint64_t count, std::size_t largest,
                 unsigned seed) {
  std::mt19937 random(seed);
  Consumed out;
  out.records = from;
  std::string expected, payload;
  bool gone = false;
  while (out.records < count) {
    RecordHeader header;
    const auto next = ring.peek(header);
    if (next == RingReader::Next::poisoned) {
      out.wrong = "poisoned";
      return out;
    }
    if (next == RingReader::Next::empty) {
      if (ring.release()) bell.ring();
      if (gone) return out;
      if (ring.prepare_sleep()) {
        ++out.sleeps;
        gone = !sleep_on(bell);
      }
      ring.cancel_sleep();
      continue;
    }
    ring.take(header, payload);
    payload_of(out.records, largest, expected);
    if (header.sequence != out.records || header.type != out.records % 1000 || payload != expected) {
      out.wrong = "record " + std::to_string(out.records) + " is not what was written";
      return out;
    }
    ++out.records;
    if (random() % 10 == 0 && ring.release()) bell.ring();
  }
  (void)ring.release();
  return out;
}

struct Case {
  const char* name;
  std::uint32_t capacity;
  std::uint64_t count;
};
class TwoProcesses : public ::testing::TestWithParam<Case> {};

TEST_P(TwoProcesses, EveryRecordArrivesWholeAndInOrder) {
  const Case& c = GetParam();
  const std::size_t largest = c.capacity / 2 - 16;
  auto meshd = MeshdSegments::create(0, 1, {c.capacity, 4096});
  ASSERT_TRUE(meshd);
  auto [mine, theirs] = doorbell();
  const pid_t child = ::fork();
  if (child == 0) {
    mine = {};
    auto edge = EdgeSegments::open(UniqueFd(::dup(meshd->fd_m())), UniqueFd(::dup(meshd->fd_e())));
    if (!edge) ::_exit(2);
    auto ring = edge->requests();
    ::_exit(produce(ring, theirs, c.count, largest, 3) ? 0 : 1);
  }
  theirs = {};
  auto ring = meshd->requests();
  const Consumed got = consume(ring, mine, 0, c.count, largest, 4);
  if (!got.wrong.empty()) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(got.wrong, "");
  EXPECT_EQ(got.records, c.count);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_GT(got.sleeps, 0u) << "no side ever slept: the wake-ups were not tested";
}

INSTANTIATE_TEST_SUITE_P(Stress, TwoProcesses,
                         ::testing::Values(Case{"tiny", 4096, 200'000}, Case{"small", 65536, 300'000},
                                           Case{"large", 8 << 20, 8'000}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Killed, AProducerKilledAnywhereLeavesWholeRecordsOnly) {
  std::mt19937 random(17);
  std::uint64_t total = 0;
  for (int round = 0; round < 80; ++round) {
    constexpr std::uint32_t capacity = 16384;
    constexpr std::size_t largest = capacity / 2 - 16;
    auto meshd = MeshdSegments::create(0, 1, {capacity, 4096});
    ASSERT_TRUE(meshd);
    auto [mine, theirs] = doorbell();
    const pid_t child = ::fork();
    if (child == 0) {
      mine = {};
      auto edge = EdgeSegments::open(UniqueFd(::dup(meshd->fd_m())), UniqueFd(::dup(meshd->fd_e())));
      auto ring = edge->requests();
      (void)produce(ring, theirs, ~0ULL, largest, static_cast<unsigned>(round));
      ::_exit(1);
    }
    theirs = {};
    auto ring = meshd->requests();
    Consumed got;
    if (round % 2 == 0) {
      // The producer is killed after this many records, wherever it is then: often asleep on a full ring.
      got = consume(ring, mine, 0, 1 + random() % 3000, largest, 1);
      ASSERT_EQ(got.wrong, "");
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      got = consume(ring, mine, got.records, ~0ULL, largest, 1);
    } else {
      // Or killed at any moment, while its ring is being read.
      std::thread axe([child, moment = std::chrono::microseconds(random() % 3000)] {
        std::this_thread::sleep_for(moment);
        ::kill(child, SIGKILL);
      });
      got = consume(ring, mine, 0, ~0ULL, largest, 1);
      axe.join();
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    ASSERT_EQ(got.wrong, "") << "round " << round;
    total += got.records;
  }
  EXPECT_GT(total, 1000u);
}

/// The same code with both sides in one process, so that ThreadSanitizer checks every access.
TEST(TwoThreads, ShareTheRingWithoutARace) {
  constexpr std::uint32_t capacity = 16384;
  constexpr std::size_t largest = capacity / 2 - 16;
  constexpr std::uint64_t count = 50'000;
  std::vector<std::byte> data(capacity);
  Word tail{0}, head{0}, waiting{0}, want_space{0};
  auto [reader_bell, writer_bell] = doorbell();
  bool produced = false;
  std::thread producer([&, &bell = writer_bell] {
    RingWriter ring({data.data(), capacity, &tail, &want_space, &head, &waiting});
    produced = produce(ring, bell, count, largest, 9);
  });
  RingReader ring({data.data(), capacity, &tail, &want_space, &head, &waiting});
  const Consumed got = consume(ring, reader_bell, 0, count, largest, 8);
  producer.join();
  EXPECT_TRUE(produced);
  EXPECT_EQ(got.wrong, "");
  EXPECT_EQ(got.records, count);
}

}  // namespace
}  // namespace nuropb::shm
