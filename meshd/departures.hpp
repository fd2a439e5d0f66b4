#pragma once
// Timing of one worker's requests in meshd until their responses arrive. For measurement only: no decision depends on
// it, and a request that finds no room here is forwarded anyway and counted as unmeasured.
//
// An edge numbers its requests consecutively, so the index is the number modulo the size: no hashing and no allocation
// per request. The size grows with the span of outstanding requests, up to `most`. Owner thread: the ring loop.

#include <cstdint>
#include <optional>
#include <vector>

#include "common/latency.hpp"

namespace nuropb::meshd {

class Departures {
 public:
  static constexpr std::size_t least = 256, most = 32'768;
  /// Older entries are replaced when there is no room.
  static constexpr std::uint64_t old_us = 60'000'000;

  struct Departure {
    std::uint64_t sequence = none;
    std::uint64_t read_us = 0;    ///< when meshd read the request
    std::uint32_t ring_us = 0;    ///< how long it was in the ring
    std::uint32_t broker_us = 0;  ///< from read_us to the broker's confirm; 0: not confirmed yet
  };

  /// `ring_us` is computed by between().
  void note(std::uint64_t sequence, std::uint64_t read_us, std::uint64_t ring_us);
  /// The broker has confirmed the request: returns how long that took, or nothing if the request is unknown.
  std::optional<std::uint64_t> confirmed(std::uint64_t sequence, std::uint64_t at_us);
  /// The response has arrived: removes and returns the entry.
  std::optional<Departure> take(std::uint64_t sequence);
  /// Number of entries that were replaced before their response.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::size_t size() const { return places_.size(); }

 private:
  static constexpr std::uint64_t none = UINT64_MAX;
  Departure& place(std::uint64_t sequence) { return places_[sequence & (places_.size() - 1)]; }
  Departure* find(std::uint64_t sequence);
  std::vector<Departure> places_;  // empty until the first request
  std::uint64_t lost_ = 0;
};

}  // namespace nuropb::meshd
