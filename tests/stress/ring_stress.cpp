// One ring under load: two processes over the real segments and doorbells, killed at random; two threads for TSan.
// Every record carries what it must be, so a byte out of place is seen.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <random>
#include <thread>

#include "shm/control.hpp"
#include "shm/segment.hpp"

namespace nuropb::shm {
namespace {

/// Payload of record n: its length and every byte follow from n.
void payload_of(std::uint64_t n, std::size_t largest, std::string& out) {
  std::uint64_t x = n * 0x9E3779B97F4A7C15ULL + 1;
  x ^= x >> 29;
  const std::size_t size = x % 16 == 0 ? x % largest : x % 300;
  out.resize(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(x + i * 131);
}

/// Both ends of a doorbell.
std::pair<ControlChannel, ControlChannel> doorbell() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
  return {ControlChannel(UniqueFd(fds[0])), ControlChannel(UniqueFd(fds[1]))};
}

void wait_for_bell(ControlChannel& channel) {
  pollfd p{channel.fd(), POLLIN, 0};
  ::poll(&p, 1, -1);
}

/// Writes records [0, count), sleeping when the ring is full. False if the other side is gone.
bool produce(RingWriter& ring, ControlChannel& bell, std::uint64_t count, std::size_t largest, unsigned seed) {
  std::mt19937 random(seed);
  std::string payload;
  for (std::uint64_t n = 0; n < count;) {
    // Batches of any size, down to a commit for each record.
    std::uint64_t batch = 1 + random() % 20;
    for (; batch > 0 && n < count; --batch) {
      payload_of(n, largest, payload);
      if (!ring.write(static_cast<std::uint16_t>(n % 1000), 0, n, {payload})) {
        if (ring.commit()) bell.ring();
        while (ring.await_space(payload.size())) {
          wait_for_bell(bell);
          if (bell.drain_doorbells().what == ControlChannel::Received::What::closed || ring.poisoned()) return false;
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

/// Reads until `count` records came or the other side is gone and the ring is empty.
Consumed consume(RingReader& ring, ControlChannel& bell, std::uint64_t count, std::size_t largest, unsigned seed) {
  std::mt19937 random(seed);
  Consumed out;
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
        wait_for_bell(bell);
        gone = bell.drain_doorbells().what == ControlChannel::Received::What::closed;
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
    mine.close();
    auto edge = EdgeSegments::open(UniqueFd(::dup(meshd->fd_m())), UniqueFd(::dup(meshd->fd_e())));
    if (!edge) ::_exit(2);
    auto ring = edge->requests();
    ::_exit(produce(ring, theirs, c.count, largest, 3) ? 0 : 1);
  }
  theirs.close();
  auto ring = meshd->requests();
  const Consumed got = consume(ring, mine, c.count, largest, 4);
  if (!got.wrong.empty()) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(got.wrong, "");
  EXPECT_EQ(got.records, c.count);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  RecordProperty("sleeps", static_cast<int>(got.sleeps));
}

INSTANTIATE_TEST_SUITE_P(Stress, TwoProcesses,
                         ::testing::Values(Case{"tiny", 4096, 200'000}, Case{"small", 65536, 300'000}, Case{"large", 8 << 20, 8'000}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Killed, AProducerKilledAnywhereLeavesWholeRecordsOnly) {
  std::mt19937 random(17);
  std::uint64_t total = 0;
  for (int round = 0; round < 60; ++round) {
    constexpr std::uint32_t capacity = 16384;
    constexpr std::size_t largest = capacity / 2 - 16;
    auto meshd = MeshdSegments::create(0, 1, {capacity, 4096});
    ASSERT_TRUE(meshd);
    auto [mine, theirs] = doorbell();
    const pid_t child = ::fork();
    if (child == 0) {
      mine.close();
      auto edge = EdgeSegments::open(UniqueFd(::dup(meshd->fd_m())), UniqueFd(::dup(meshd->fd_e())));
      auto ring = edge->requests();
      (void)produce(ring, theirs, ~0ULL, largest, static_cast<unsigned>(round));
      ::_exit(1);
    }
    theirs.close();
    auto ring = meshd->requests();
    // After so many records the axe falls, wherever the producer is then.
    const std::uint64_t enough = 1 + random() % 3000;
    Consumed got = consume(ring, mine, enough, largest, 1);
    ASSERT_EQ(got.wrong, "");
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    RecordHeader header;
    std::string payload, expected;
    while (ring.peek(header) == RingReader::Next::record) {
      ring.take(header, payload);
      payload_of(got.records, largest, expected);
      ASSERT_EQ(header.sequence, got.records);
      ASSERT_EQ(payload, expected);
      ++got.records;
    }
    ASSERT_FALSE(ring.poisoned());
    total += got.records;
  }
  EXPECT_GT(total, 60u);
}

/// The same code with both sides in one process, so that ThreadSanitizer sees every access.
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
  const Consumed got = consume(ring, reader_bell, count, largest, 8);
  producer.join();
  EXPECT_TRUE(produced);
  EXPECT_EQ(got.wrong, "");
  EXPECT_EQ(got.records, count);
}

}  // namespace
}  // namespace nuropb::shm
