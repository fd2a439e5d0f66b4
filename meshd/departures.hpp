#pragma once
// When the requests of one worker went through meshd, until their answers come. Only to measure: nothing is decided by it,
// and what finds no room here is passed on all the same, unmeasured and counted.
//
// An edge numbers its requests one after the other, so a place is a number modulo the size: no hashing, nothing allocated
// for each request. The size grows with the span of what is outstanding, up to `most`. Owner thread: the ring loop.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/latency.hpp"

namespace nuropb::meshd {

class Departures {
 public:
  static constexpr std::size_t least = 256, most = 32'768;
  /// What is older than this is not waited for when there is no room.
  static constexpr std::uint64_t old_us = 60'000'000;

  struct Departure {
    std::uint64_t sequence = none;
    std::uint64_t read_us = 0;    ///< when meshd had read it
    std::uint32_t ring_us = 0;    ///< how long it was in the ring
    std::uint32_t broker_us = 0;  ///< from read_us until the broker had confirmed it; 0: it has not
  };

  /// `ring_us` as measured by between().
  void note(std::uint64_t sequence, std::uint64_t read_us, std::uint64_t ring_us);
  /// The broker has confirmed it: how long that took. Nothing if it is not known here.
  std::optional<std::uint64_t> confirmed(std::uint64_t sequence, std::uint64_t at_us);
  /// Its answer has come.
  std::optional<Departure> take(std::uint64_t sequence);
  /// Those that gave way to others.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }

 private:
  static constexpr std::uint64_t none = UINT64_MAX;
  Departure& place(std::uint64_t sequence) { return places_[sequence & (places_.size() - 1)]; }
  Departure* find(std::uint64_t sequence);
  std::vector<Departure> places_;  // empty until the first
  std::uint64_t lost_ = 0;
};

}  // namespace nuropb::meshd
