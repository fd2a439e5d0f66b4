#pragma once
// Records that found no room in the request ring, or no meshd: each is written as soon as there is room again.
//
//   add() ──► written at once ──► (done)
//     │ no room
//     ▼
//   its lane ── drain(), when there is room: lane by lane, in order ──► (done)
//
// A waiting record is a function that encodes and writes it, and returns true if it is done: it was written, or it is not
// needed any more, because its session has ended or there is no meshd that could want it. What is to be written is decided
// at that moment, so an entry names a session by slot and serial and never holds a pointer to its handler.
//
// Owner thread: the edge's io_context.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

namespace nuropb::edge {

class LinkBacklog {
 public:
  /// In the order in which they are drained. Sessions are closed first, because that makes slots free.
  enum class Lane : std::uint8_t { close_session, open_session, restore_session, resume_answers, push_counts };
  using Write = std::function<bool()>;

  /// Writes now, unless other records of the lane wait already; what finds no room is added to the lane.
  template <class F>
  void add(Lane which, F&& write) {
    std::deque<Write>& lane = lanes_[static_cast<std::size_t>(which)];
    if (lane.empty() && write()) return;
    lane.emplace_back(std::forward<F>(write));
  }
  /// Writes until a record finds no room.
  void drain();
  /// meshd is lost: what it was to be told of is dropped. Records that close sessions are run once more, without a meshd, so
  /// that their slots become free.
  void on_lost();

  [[nodiscard]] std::size_t size(Lane which) const { return lanes_[static_cast<std::size_t>(which)].size(); }

 private:
  std::array<std::deque<Write>, 5> lanes_;
};

}  // namespace nuropb::edge
