#include "meshd/departures.hpp"

#include <algorithm>

namespace nuropb::meshd {
namespace {

std::uint32_t narrow(std::uint64_t us) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(us, UINT32_MAX)); }

}  // namespace

void Departures::note(std::uint64_t sequence, std::uint64_t read_us, std::uint64_t ring_us) {
  if (places_.empty()) places_.resize(least);
  const auto taken = [&] {
    const Departure& there = place(sequence);
    return there.sequence != none && there.sequence != sequence && latency::between(there.read_us, read_us) < old_us;
  };
  while (taken() && places_.size() < most) {
    std::vector<Departure> more(places_.size() * 2);
    for (const Departure& one : places_) {
      if (one.sequence != none) more[one.sequence & (more.size() - 1)] = one;
    }
    places_ = std::move(more);
  }
  if (taken()) ++lost_;
  place(sequence) = {sequence, read_us, narrow(ring_us), 0};
}

Departures::Departure* Departures::find(std::uint64_t sequence) {
  if (places_.empty()) return nullptr;
  Departure& there = place(sequence);
  return there.sequence == sequence ? &there : nullptr;
}

std::optional<std::uint64_t> Departures::confirmed(std::uint64_t sequence, std::uint64_t at_us) {
  Departure* const found = find(sequence);
  if (!found || found->broker_us > 0) return {};
  const std::uint64_t took = latency::between(found->read_us, at_us);
  found->broker_us = std::max(narrow(took), 1U);
  return took;
}

std::optional<Departures::Departure> Departures::take(std::uint64_t sequence) {
  Departure* const found = find(sequence);
  if (!found) return {};
  const Departure out = *found;
  found->sequence = none;
  return out;
}

}  // namespace nuropb::meshd
