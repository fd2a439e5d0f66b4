// A process is killed at every step of the ring's protocol, on either side of real segments; the other side continues.
//
// An edge has requests for a meshd, which records executed ones in a ledger that outlives it, and answers. When meshd
// dies, the edge does what RequestRecovery::on_lost does, and a new meshd on new segments gets the rest. In the end every request
// has one outcome, nothing was executed twice that must not be, and an edge leaves only complete records behind.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>

#include "common/crash_points.hpp"
#include "shm/segment.hpp"
#include "tests/stress/traffic.hpp"

namespace nuropb::shm {
namespace {

using crash::Point;
using test::doorbell;
using test::payload_of;
using test::sleep_on;

constexpr std::uint64_t count = 300;
constexpr Geometry geometry{4096, 4096};  // so small that both rings are often full, empty and wrapped
constexpr std::size_t largest = 4096 / 2 - 16;

bool idempotent(std::uint64_t n) { return n % 3 == 0; }

/// Read access to both segments' words: so that a side can wait until the other one waits for room, or rings are full.
class Words {
 public:
  explicit Words(const MeshdSegments& segments) : m_(map(segments.fd_m())), e_(map(segments.fd_e())) {}
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  ~Words() {
    ::munmap(m_, data_offset);
    ::munmap(e_, data_offset);
  }
  void until_meshd_wants_room(const Doorbell& bell) const {
    until_odd(static_cast<const SegmentM*>(m_)->out_want_space.value, bell);
  }
  void until_edge_wants_room(const Doorbell& bell) const {
    until_odd(static_cast<const SegmentE*>(e_)->in_want_space.value, bell);
  }

 private:
  static void* map(int fd) { return ::mmap(nullptr, data_offset, PROT_READ, MAP_SHARED, fd, 0); }
  /// Or the other side has ended.
  static void until_odd(const Word& word, const Doorbell& bell) {
    pollfd closed{bell.fd(), 0, 0};
    while ((word.load() & 1) == 0 && ::poll(&closed, 1, 1) == 0) {}
  }
  void *m_, *e_;
};
/// What was executed by all runs of meshd. In shared memory.
struct Ledger {
  std::atomic<std::uint32_t> runs[count];
};
struct Unmap {
  void operator()(Ledger* ledger) const { ::munmap(ledger, sizeof(Ledger)); }
};
std::unique_ptr<Ledger, Unmap> new_ledger() {
  return std::unique_ptr<Ledger, Unmap>(
      new (::mmap(nullptr, sizeof(Ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Ledger{});
}

/// Longer than the request, so that the return ring fills up first.
void answer_of(std::uint64_t n, std::string& out) {
  payload_of(n, largest, out);
  if (out.size() + 200 <= largest) out.append(200, 'a');
}

/// An edge over several runs of meshd. `wrong` describes a violation.
class EdgeSide {
 public:
  struct Request {
    enum class State { unsent, pending, answered, unknown } state = State::unsent;
    std::uint64_t ring_end = 0;
  };

  /// Returns true once every request has its outcome; false when meshd has died, after its rings were evaluated.
  bool serve(EdgeSegments segments, Doorbell& bell, const Words* first_life) {
    RingWriter out = segments.requests();
    RingReader in = segments.responses();
    for (bool lazy = first_life;;) {
      in.cancel_sleep();
      read(in, bell);
      const bool full = !write(out);
      if (out.commit()) bell.ring();
      if (in.poisoned() || out.poisoned()) wrong = "poisoned";
      if (!wrong.empty() || done()) return true;
      if (full && !out.await_space(largest)) continue;
      if (full && std::exchange(lazy, false)) {
        first_life->until_meshd_wants_room(bell);
        continue;
      }
      if (!in.prepare_sleep()) continue;
      if (sleep_on(bell)) continue;
      // meshd has died. Its last responses first, then its progress.
      read(in, bell);
      judge(segments, out);
      return false;
    }
  }

  bool done() const {
    for (const Request& each : requests) {
      if (each.state == Request::State::unsent || each.state == Request::State::pending) return false;
    }
    return true;
  }

  std::vector<Request> requests{count};
  std::string wrong;

 private:
  void read(RingReader& in, Doorbell& bell) {
    RecordHeader header;
    while (in.peek(header) == RingReader::Next::record) {
      in.take(header, payload_);
      answer_of(header.sequence, expected_);
      if (header.sequence >= count || payload_ != expected_) wrong = "an answer that is not whole";
      else if (requests[header.sequence].state != Request::State::pending)
        wrong = "a second outcome of " + std::to_string(header.sequence);
      else requests[header.sequence].state = Request::State::answered;
      if (!wrong.empty()) return;
    }
    if (in.release()) bell.ring();
  }

  /// Returns false if the ring is full.
  bool write(RingWriter& out) {
    int pending = 0;
    for (const Request& each : requests) pending += each.state == Request::State::pending;
    for (std::uint64_t n = 0; n < count && pending < 100; ++n) {
      if (requests[n].state != Request::State::unsent) continue;
      payload_of(n, largest, payload_);
      if (!out.write(1, 0, n, {payload_})) return false;
      requests[n] = {Request::State::pending, out.staged()};
      ++pending;
    }
    return true;
  }

  void judge(const EdgeSegments& segments, const RingWriter& out) {
    const std::uint64_t taken = segments.taken(), settled = segments.settled();
    if (settled > taken) wrong = "more is settled than was taken";
    std::size_t untaken = 0;
    for (const auto& record : out.written_since(taken)) {
      ++untaken;
      Request& request = requests[record.header.sequence];
      if (request.state != Request::State::pending)
        wrong = "answered before it was taken: " + std::to_string(record.header.sequence);
      request.state = Request::State::unsent;
    }
    std::size_t behind = 0;
    for (std::uint64_t n = 0; n < count; ++n) {
      Request& request = requests[n];
      behind += request.state == Request::State::unsent && request.ring_end > taken;
      if (request.state != Request::State::pending) continue;
      if (request.ring_end <= settled) wrong = "settled, and its answer is not there: " + std::to_string(n);
      request.state = idempotent(n) ? Request::State::unsent : Request::State::unknown;
    }
    if (untaken != behind) wrong = "records in the old ring are not those that were written";
    for (Request& request : requests) request.ring_end = 0;
  }

  std::string payload_, expected_;
};

/// meshd as far as the rings see it: takes a batch, publishes that, executes it, answers, publishes that. Until the
/// edge ends.
std::string meshd(MeshdSegments& segments, Doorbell& bell, Ledger& ledger, const Words* first_life) {
  RingReader in = segments.requests();
  RingWriter out = segments.responses();
  struct Work {
    std::uint64_t sequence, position;
    std::string payload;
  };
  std::deque<Work> taken;
  RecordHeader header;
  std::string expected;
  bool gone = false;
  if (first_life) first_life->until_edge_wants_room(bell);
  for (;;) {
    in.cancel_sleep();
    bool empty = false;
    const auto from = taken.size();
    for (int budget = 3; budget > 0 && taken.size() < 6; --budget) {
      const auto next = in.peek(header);
      if (next != RingReader::Next::record) {
        empty = true;
        break;
      }
      Work& work = taken.emplace_back();
      in.take(header, work.payload);
      payload_of(header.sequence, largest, expected);
      if (header.sequence >= count || work.payload != expected) return "a request that is not whole";
      work.sequence = header.sequence;
      answer_of(work.sequence, work.payload);
      work.position = in.head();
    }
    if (in.release()) bell.ring();  // from here on they may have been executed
    for (auto i = from; i < taken.size(); ++i) ledger.runs[taken[i].sequence].fetch_add(1);
    std::optional<std::uint64_t> settled;
    while (!taken.empty() && out.write(2, 0, taken.front().sequence, {taken.front().payload})) {
      settled = taken.front().position;
      taken.pop_front();
    }
    if (out.commit()) bell.ring();
    if (settled) segments.set_settled(*settled);  // only now, because the response is in the ring
    if (in.poisoned() || out.poisoned()) return "poisoned";
    if (gone && empty) return in.depth() == 0 ? std::string() : "something is left in the ring";
    if (gone) {
      taken.clear();  // no one makes room any more
      continue;
    }
    if (!taken.empty() && !out.await_space(taken.front().payload.size())) continue;
    if (!taken.empty() ? true : empty && in.prepare_sleep()) gone = !sleep_on(bell);
  }
}

/// How often the point is passed before it ends the process.
constexpr unsigned times[] = {1, 2, 5, 20, 70};

struct Ended {
  bool at_the_point = false;
  bool well = false;
};
Ended end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, WIFEXITED(status) && WEXITSTATUS(status) == 0};
}

class AtEveryPoint : public ::testing::TestWithParam<Point> {};

TEST_P(AtEveryPoint, MeshdDiesAndEveryRequestHasOneOutcome) {
  for (const unsigned nth : times) {
    const auto ledger = new_ledger();
    EdgeSide edge;
    bool first = true, all = false;
    while (!all) {
      auto segments = MeshdSegments::create(0, 1, geometry);
      ASSERT_TRUE(segments);
      const Words words(*segments);
      auto [mine, theirs] = doorbell();
      const pid_t child = ::fork();
      if (child == 0) {
        mine = {};
        if (first) crash::arm(GetParam(), nth);
        const std::string wrong = meshd(*segments, theirs, *ledger, first ? &words : nullptr);
        if (!wrong.empty()) std::fprintf(stderr, "meshd: %s\n", wrong.c_str());
        ::_exit(wrong.empty() ? 0 : 1);
      }
      theirs = {};
      auto mapped = EdgeSegments::open(UniqueFd(::dup(segments->fd_m())), UniqueFd(::dup(segments->fd_e())));
      ASSERT_TRUE(mapped);
      all = edge.serve(std::move(*mapped), mine, first ? &words : nullptr);
      mine = {};
      const Ended ended = end_of(child);
      ASSERT_EQ(edge.wrong, "") << "the " << nth << ". time";
      if (nth == 1 && first) { EXPECT_TRUE(ended.at_the_point) << "never reached"; }
      if (!ended.at_the_point) { EXPECT_TRUE(ended.well); }
      first = false;
    }
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::uint32_t runs = ledger->runs[n];
      const bool answered = edge.requests[n].state == EdgeSide::Request::State::answered;
      if (!idempotent(n)) { EXPECT_LE(runs, 1u) << n << " ran twice"; }
      if (answered) { EXPECT_GE(runs, 1u) << n << " was answered and never ran"; }
      if (answered && !idempotent(n)) { EXPECT_EQ(runs, 1u) << n; }
    }
  }
}

TEST_P(AtEveryPoint, AnEdgeDiesAndLeavesWholeRecords) {
  for (const unsigned nth : times) {
    const auto ledger = new_ledger();
    auto segments = MeshdSegments::create(0, 1, geometry);
    ASSERT_TRUE(segments);
    const Words words(*segments);
    auto [mine, theirs] = doorbell();
    const pid_t child = ::fork();
    if (child == 0) {
      mine = {};
      auto mapped = EdgeSegments::open(UniqueFd(::dup(segments->fd_m())), UniqueFd(::dup(segments->fd_e())));
      if (!mapped) ::_exit(2);
      crash::arm(GetParam(), nth);
      EdgeSide edge;
      ::_exit(edge.serve(std::move(*mapped), theirs, &words) && edge.wrong.empty() ? 0 : 1);
    }
    theirs = {};
    EXPECT_EQ(meshd(*segments, mine, *ledger, &words), "") << "the " << nth << ". time";
    const Ended ended = end_of(child);
    if (nth == 1) { EXPECT_TRUE(ended.at_the_point) << "never reached"; }
    if (!ended.at_the_point) { EXPECT_TRUE(ended.well); }
    bool before = true;
    for (std::uint64_t n = 0; n < count; ++n) {
      const std::uint32_t runs = ledger->runs[n];
      EXPECT_LE(runs, 1u) << n << " ran twice";
      EXPECT_TRUE(before || runs == 0) << n << " ran, and one before it did not";
      before = runs == 1;
    }
  }
}

#define NUROPB_POINT_VALUE(name) Point::name,
INSTANTIATE_TEST_SUITE_P(Crash, AtEveryPoint,
                         ::testing::ValuesIn(std::vector<Point>{NUROPB_RING_POINTS(NUROPB_POINT_VALUE)}),
                         [](const auto& chosen) { return std::string(crash::name_of(chosen.param)); });

}  // namespace
}  // namespace nuropb::shm
