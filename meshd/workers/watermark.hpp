#pragma once
// Low-water mark of work that is started in order and finishes in any order.
//
// Used for a worker's `settled` word: ring positions whose requests the broker has confirmed. Memory is one entry per
// piece of work between the oldest unfinished one and the newest. Not thread-safe.

#include <cstdint>
#include <deque>
#include <optional>

namespace nuropb::meshd {

class Watermark {
 public:
  /// Registers work that ends at `position` (never below the previous one) and returns its ordinal.
  std::uint64_t begin(std::uint64_t position) {
    open_.push_back({position, false});
    return first_ + open_.size() - 1;
  }

  /// Marks one piece as done. Unknown or repeated ordinals are ignored: the broker may report late.
  void finish(std::uint64_t ordinal) {
    if (ordinal < first_ || ordinal - first_ >= open_.size()) return;
    open_[ordinal - first_].done = true;
  }

  /// The position up to which all work is done, if it has moved since the last call.
  std::optional<std::uint64_t> advance() {
    std::optional<std::uint64_t> moved;
    while (!open_.empty() && open_.front().done) {
      moved = open_.front().position;
      open_.pop_front();
      ++first_;
    }
    return moved;
  }

  [[nodiscard]] std::size_t unfinished() const { return open_.size(); }

  /// Forgets all open work; ordinals returned before are ignored from now on.
  void reset() {
    first_ += open_.size();
    open_.clear();
  }

 private:
  struct Piece {
    std::uint64_t position;
    bool done;
  };
  std::deque<Piece> open_;
  std::uint64_t first_ = 0;
};

}  // namespace nuropb::meshd
