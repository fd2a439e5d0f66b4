#pragma once
// The two segments of one worker: created and sealed by meshd, checked and mapped by the edge. See layout.hpp.
//
// M is sealed shrink|grow|future-write|seal after meshd has mapped it, so an edge can only map it read-only. E is
// sealed shrink|grow|seal: the edge writes it, meshd maps it read-only, and neither side can resize it while the other
// uses it. The segments have no name in any file system; the memory is freed with the last process that maps it. A
// mapping is never reused: each incarnation of either process gets new segments.

#include <boost/interprocess/mapped_region.hpp>
#include <cstdint>
#include <string>

#include "common/result.hpp"
#include "shm/layout.hpp"
#include "shm/ring.hpp"
#include "shm/unique_fd.hpp"

namespace nuropb::shm {

struct Geometry {
  std::uint32_t in_capacity = 8U << 20;   ///< edge → meshd, bytes, power of two
  std::uint32_t out_capacity = 8U << 20;  ///< meshd → edge
};

/// meshd's side. Owns both mappings; movable. Owner thread: meshd's ring loop.
class MeshdSegments {
 public:
  static Result<MeshdSegments> create(std::uint32_t slot, std::uint32_t generation, Geometry geometry);

  [[nodiscard]] int fd_m() const { return fd_m_.get(); }
  [[nodiscard]] int fd_e() const { return fd_e_.get(); }
  /// The descriptors are only needed until they are handed over.
  void close_fds();

  RingReader requests();   ///< a new reader of the request ring, position 0
  RingWriter responses();  ///< a new writer of the return ring, position 0
  void set_broker(BrokerState state);
  void set_settled(std::uint64_t position);
  /// Increments meshd's heartbeat.
  void beat();
  /// To be checked for change on our own clock; the value itself means nothing.
  [[nodiscard]] std::uint64_t edge_beat() const;
  [[nodiscard]] std::uint64_t counter(EdgeCounter which) const;
  [[nodiscard]] std::uint64_t closes(std::size_t place) const;  ///< below close_code::all.size() + 1
  [[nodiscard]] std::uint64_t outcomes(RequestOutcome which) const;
  [[nodiscard]] std::uint64_t messages(std::size_t type) const;  ///< below message_kinds
  [[nodiscard]] latency::Histogram stage(latency::EdgeStage which) const;

 private:
  UniqueFd fd_m_, fd_e_;
  boost::interprocess::mapped_region m_, e_;
  Geometry geometry_;
  [[nodiscard]] SegmentM* m() const;
  [[nodiscard]] const SegmentE* e() const;
};

/// The edge's side. Owner thread: the edge's only one.
class EdgeSegments {
 public:
  /// Checks seals, sizes, magic, ABI and geometry before mapping anything that could change.
  static Result<EdgeSegments> open(UniqueFd fd_m, UniqueFd fd_e);

  RingWriter requests();
  RingReader responses();
  [[nodiscard]] BrokerState broker() const;
  [[nodiscard]] std::uint32_t slot() const;
  [[nodiscard]] std::uint32_t generation() const;
  [[nodiscard]] std::uint64_t taken() const;
  [[nodiscard]] std::uint64_t settled() const;
  void beat();
  [[nodiscard]] std::uint64_t meshd_beat() const;
  void count(EdgeCounter which, std::uint64_t by = 1);
  void set(EdgeCounter which, std::uint64_t value);
  void count_close(std::uint16_t code);
  void count_outcome(RequestOutcome which);
  void count_message(std::size_t type);
  void measure(latency::EdgeStage which, std::uint64_t us);

 private:
  boost::interprocess::mapped_region m_, e_;
  std::uint32_t slot_ = 0, generation_ = 0;
  Geometry geometry_;
  [[nodiscard]] const SegmentM* m() const;
  [[nodiscard]] SegmentE* e() const;
};

}  // namespace nuropb::shm
