#pragma once
// The page of metrics: what meshd has counted, in Prometheus' text format. Pure.

#include <cstdint>
#include <string>

#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/pushes.hpp"

namespace nuropb::meshd {

struct Counted {
  mesh::Transport::Counters transport;
  const mesh::Refusals* messages = nullptr;    ///< that could not be read
  const mesh::Refusals* controller = nullptr;  ///< that did not get to a handler of the controller
  std::uint64_t events_dropped = 0;            ///< of the mesh: not for consumers
  Pushes::Counters pushes{};
  std::uint64_t peers = 0, peer_messages_refused = 0;
  std::uint64_t sessions = 0, workers = 0, topics = 0, queued_bytes = 0;
};

std::string metrics_page(const Counted& counted);

}  // namespace nuropb::meshd
