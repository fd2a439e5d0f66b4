#pragma once
// Memory layout shared by one worker (an edge) and meshd: two segments, one per writer:
//
//   M  written by meshd, read-only for the edge          E  written by the edge, read-only for meshd
//   0x0000 magic, ABI, sizes, slot, generation, broker   0x0000 magic, ABI
//   0x0080 taken      in ring: meshd's read position     0x0080 in_tail     in ring: published up to here
//   0x0100 settled    in ring: confirmed by the broker   0x0100 in_want_space   edge waits for room
//   0x0180 in_waiting   meshd sleeps on the in ring      0x0180 out_head    return ring: read up to here
//   0x0200 out_tail     return ring: published           0x0200 out_waiting   edge sleeps on the return ring
//   0x0280 out_want_space   meshd waits for room         0x0280 beat
//   0x0300 beat                                          0x0300 counters, closes, outcomes, messages, stages
//   0x1000 out_data[]  the return ring                   0x1000 in_data[]  the request ring
//
// Positions are byte counts that only grow; an index is position & (capacity - 1). Each word that one side polls is 128
// bytes from its neighbour, because the adjacent-line prefetcher loads pairs of 64-byte lines.
// The waiting and want_space words are counters that are odd while their side sleeps (ring.hpp).
// Any change of this layout must bump `abi`.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/close_codes.hpp"
#include "common/latency.hpp"
#include "common/outcome.hpp"

namespace nuropb::shm {

inline constexpr std::uint64_t magic_m = 0x314d'4250'4f52'554eULL;  // "NUROPBM1"
inline constexpr std::uint64_t magic_e = 0x3145'4250'4f52'554eULL;  // "NUROPBE1"
/// Defined alone in abi.cpp, so that tests can link a process of another version.
extern const std::uint32_t abi;
inline constexpr std::size_t line = 128;
inline constexpr std::size_t data_offset = 0x1000;
inline constexpr std::uint32_t min_capacity = 4096;
inline constexpr std::uint32_t max_capacity = 1U << 30;

/// The broker's state as meshd publishes it. An edge reads from its sockets only while it is `ready` (design.md, rule
/// 5).
enum class BrokerState : std::uint32_t { away = 0, ready = 1, blocked = 2 };

using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8);

struct alignas(line) PaddedWord {
  Word value;
};
static_assert(sizeof(PaddedWord) == line);

struct alignas(line) SegmentMHead {
  std::uint64_t magic;
  std::uint32_t abi;
  std::uint32_t slot;
  std::uint32_t generation;
  std::uint32_t in_capacity;
  std::uint32_t out_capacity;
  std::atomic<std::uint32_t> broker;  ///< BrokerState
  std::atomic<std::uint32_t> ready;   ///< 1 once all fields above are set; stored last
};
struct SegmentM {
  SegmentMHead head;
  PaddedWord taken;
  PaddedWord settled;
  PaddedWord in_waiting;
  PaddedWord out_tail;
  PaddedWord out_want_space;
  PaddedWord beat;
};
static_assert(sizeof(SegmentMHead) == line);
static_assert(offsetof(SegmentM, taken) == 0x080 && offsetof(SegmentM, settled) == 0x100);
static_assert(offsetof(SegmentM, in_waiting) == 0x180 && offsetof(SegmentM, out_tail) == 0x200);
static_assert(offsetof(SegmentM, out_want_space) == 0x280 && offsetof(SegmentM, beat) == 0x300);
static_assert(sizeof(SegmentM) <= data_offset);

/// Counters that an edge publishes for nuropb-ctl and /metrics. Monitoring only; no decision depends on them.
enum class EdgeCounter : std::size_t {
  sessions,
  requests,
  responses,
  timeouts,
  refused_handshakes,
  bad_messages,
  late_responses,
  ring_stalls,
  events,
  dropped_events,       ///< dropped for sockets that did not read (events.when_full)
  over_messages_per_s,  ///< messages refused, by limit
  over_bytes_per_s,
  over_pending,
  bytes_in,  ///< payload of clients' messages, without frame headers
  bytes_out,
  pending,               ///< gauge: requests that wait for their responses
  cpu_us,                ///< of the edge's process
  draining,              ///< 1 from the moment the edge was told to stop
  no_token,              ///< handshakes without one
  wrong_origin,          ///< handshakes from origins that may not connect
  no_first_message,      ///< sockets that sent no token in time (auth.first_message)
  open_files,            ///< open file descriptors of the edge, sockets included
  most_files,            ///< its limit of open file descriptors
  dropped_log_lines,     ///< dropped log lines (common/log.hpp)
  over_memory,           ///< sockets closed for limits.memory_bytes, or because there was no memory
  over_message_ms,       ///< sockets closed because a message was not finished in time
  over_control_frames,   ///< sockets closed for limits.control_frames_per_s
  over_refused_tokens,   ///< connections and calls refused because of refused tokens or keys of their address
  bad_certificates,      ///< TLS handshakes that failed because of a bad or missing client certificate
  over_handshake_share,  ///< connections closed during their handshake in favour of other addresses
  count_
};
/// Message kinds of clients, by their records' types (common/records.hpp).
inline constexpr std::size_t message_kinds = 16;

struct alignas(line) SegmentEHead {
  std::uint64_t magic;
  std::uint32_t abi;
};
struct SegmentE {
  SegmentEHead head;
  PaddedWord in_tail;
  PaddedWord in_want_space;
  PaddedWord out_head;
  PaddedWord out_waiting;
  PaddedWord beat;
  Word counters[32];
  Word closes[64];               ///< closed sockets, by the position of their close code (common/close_codes.hpp)
  Word outcomes[16];             ///< finished requests, by RequestOutcome
  Word messages[message_kinds];  ///< messages from clients, by record type
  struct Stage {
    Word counts[latency::buckets];
    Word sum_us;
  } stages[static_cast<std::size_t>(latency::EdgeStage::count_)];
};
static_assert(sizeof(SegmentEHead) == line);
static_assert(offsetof(SegmentE, in_tail) == 0x080 && offsetof(SegmentE, in_want_space) == 0x100);
static_assert(offsetof(SegmentE, out_head) == 0x180 && offsetof(SegmentE, out_waiting) == 0x200);
static_assert(offsetof(SegmentE, beat) == 0x280 && offsetof(SegmentE, counters) == 0x300);
static_assert(offsetof(SegmentE, closes) == 0x400 && offsetof(SegmentE, outcomes) == 0x600);
static_assert(offsetof(SegmentE, messages) == 0x680 && offsetof(SegmentE, stages) == 0x700);
static_assert(sizeof(SegmentE) <= data_offset);
static_assert(static_cast<std::size_t>(EdgeCounter::count_) <= 32 && close_code::all.size() < 64);
static_assert(request_outcomes <= 16);

}  // namespace nuropb::shm
