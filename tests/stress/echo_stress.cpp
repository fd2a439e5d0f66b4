// Both rings of a worker and its doorbell in normal use: an edge sends, meshd answers each record with the same bytes.
// Either ring may be full or empty at any time, and one doorbell serves all four reasons to wake.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>
#include <random>

#include "shm/segment.hpp"
#include "tests/stress/traffic.hpp"

namespace nuropb::shm {
namespace {

using test::doorbell;
using test::payload_of;
using test::sleep_on;

/// A record that has found no room in the ring yet.
using Held = std::optional<std::string>;

/// Reports the result of a turn to the writer; returns whether this side may sleep as far as that ring is concerned.
bool may_sleep(RingWriter& out, Doorbell& bell, const Held& held) {
  if (out.commit()) bell.ring();
  return !held || out.await_space(held->size());
}

std::string edge(EdgeSegments segments, Doorbell& bell, std::uint64_t count, std::size_t largest) {
  RingWriter out = segments.requests();
  RingReader in = segments.responses();
  std::mt19937 random(1);
  std::uint64_t sent = 0, answered = 0;
  Held held;
  std::string payload, expected;
  RecordHeader header;
  while (answered < count) {
    in.cancel_sleep();
    while (in.peek(header) == RingReader::Next::record) {
      in.take(header, payload);
      payload_of(answered, largest, expected);
      if (header.sequence != answered || payload != expected) return "answer " + std::to_string(answered) + " is wrong";
      ++answered;
    }
    if (in.poisoned() || out.poisoned()) return "poisoned";
    if (in.release()) bell.ring();
    const std::uint64_t burst = random() % 3 == 0 ? 1000 : random() % 4;  // often too few to keep the other side busy
    for (std::uint64_t i = 0; i < burst && sent < count; ++i) {
      if (!held) payload_of(sent, largest, held.emplace());
      if (!out.write(1, 0, sent, {*held})) break;
      held.reset();
      ++sent;
    }
    const bool quiet = may_sleep(out, bell, held);
    if (sent == answered) continue;  // everything is answered, so nothing would wake us
    if (quiet && in.prepare_sleep() && !sleep_on(bell)) return "meshd is gone";
  }
  return {};
}

std::string meshd(MeshdSegments& segments, Doorbell& bell, std::uint64_t count) {
  RingReader in = segments.requests();
  RingWriter out = segments.responses();
  std::uint64_t taken = 0, answered = 0;
  Held held;
  RecordHeader header;
  while (answered < count) {
    in.cancel_sleep();
    bool empty = false;
    for (int budget = 50; budget > 0; --budget) {
      if (!held) {
        if (in.peek(header) != RingReader::Next::record) {
          empty = true;
          break;
        }
        in.take(header, held.emplace());
        ++taken;
      }
      if (!out.write(2, 0, taken - 1, {*held})) break;
      held.reset();
      ++answered;
    }
    if (in.poisoned() || out.poisoned()) return "poisoned";
    if (in.release()) bell.ring();
    const bool stuck = held.has_value();
    const bool quiet = may_sleep(out, bell, held);
    if (answered == count) break;  // nothing would wake us
    if (stuck ? quiet : quiet && empty && in.prepare_sleep()) {
      if (!sleep_on(bell) && answered < count) return "the edge is gone";
    }
  }
  return {};
}

struct Case {
  const char* name;
  Geometry geometry;
  std::uint64_t count;
};
class Echo : public ::testing::TestWithParam<Case> {};

TEST_P(Echo, EveryRecordComesBackOverTheOtherRing) {
  const Case& c = GetParam();
  const std::size_t largest = std::min(c.geometry.in_capacity, c.geometry.out_capacity) / 2 - 16;
  auto segments = MeshdSegments::create(0, 1, c.geometry);
  ASSERT_TRUE(segments);
  auto [mine, theirs] = doorbell();
  const pid_t child = ::fork();
  if (child == 0) {
    mine = {};
    auto mapped = EdgeSegments::open(UniqueFd(::dup(segments->fd_m())), UniqueFd(::dup(segments->fd_e())));
    if (!mapped) ::_exit(2);
    const std::string wrong = edge(std::move(*mapped), theirs, c.count, largest);
    if (!wrong.empty()) std::fprintf(stderr, "edge: %s\n", wrong.c_str());
    ::_exit(wrong.empty() ? 0 : 1);
  }
  theirs = {};
  const std::string wrong = meshd(*segments, mine, c.count);
  if (!wrong.empty()) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(wrong, "");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

INSTANTIATE_TEST_SUITE_P(Stress, Echo,
                         ::testing::Values(Case{"tiny", {4096, 4096}, 100'000},
                                           Case{"tiny_return_ring", {65536, 4096}, 100'000},
                                           Case{"tiny_request_ring", {4096, 65536}, 100'000},
                                           Case{"large", {1 << 20, 1 << 20}, 100'000}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace nuropb::shm
