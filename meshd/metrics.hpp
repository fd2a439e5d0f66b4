#pragma once
// The page of metrics: what meshd has counted, in Prometheus' text format. Pure.

#include <array>
#include <cstdint>
#include <string>

#include "common/close_codes.hpp"
#include "meshd/mesh/refusals.hpp"
#include "meshd/mesh/transport.hpp"
#include "meshd/pushes.hpp"
#include "meshd/service_mesh_manager.hpp"
#include "shm/segment.hpp"

namespace nuropb::meshd {

/// What edges have counted, those that are gone included. Monitoring only: an edge writes what it likes there.
struct EdgeCounts {
  std::array<std::uint64_t, static_cast<std::size_t>(shm::EdgeCounter::count_)> counters{};
  std::array<std::uint64_t, close_code::all.size() + 1> closes{};
  void add(const shm::MeshdSegments& segments);
  [[nodiscard]] std::uint64_t operator[](shm::EdgeCounter which) const {
    return counters[static_cast<std::size_t>(which)];
  }
};

/// What was over a limit that meshd watches.
struct RefusedByLimit {
  std::uint64_t connections = 0, user_messages = 0, user_bytes = 0, subscriptions = 0;
};

/// Sessions that lost their sockets.
struct ResumeCounts {
  std::uint64_t parked = 0, resumed = 0, failed = 0, ended = 0;
};

struct Counted {
  mesh::Transport::Counters transport{};  ///< of the one connection, patterns_refused of all faces
  std::array<std::uint64_t, mesh::refusal_kinds>
      messages{};                    ///< that could not be read, or did not get to a handler of a controller
  std::uint64_t events_dropped = 0;  ///< of the mesh: not for consumers
  Pushes::Counters pushes{};
  std::uint64_t peers = 0, peer_messages_refused = 0;
  std::array<std::uint64_t, handler_kinds> sessions_of{};
  RefusedByLimit refused{};
  EdgeCounts edges{};  ///< of all edges since meshd began
  ResumeCounts resumes{};
  std::uint64_t mailboxes = 0, mailbox_bytes = 0, let_go = 0, waiting = 0;
  std::uint64_t sessions = 0, workers = 0, topics = 0, queued_bytes = 0;
  std::uint64_t killed_workers = 0;  ///< that broke the rules, or hung

  /// What one kind's part has counted.
  void add(HandlerKind kind, const ServiceMeshManager& manager, const Pushes& pushes, const Peers& peers,
           std::size_t sessions, std::size_t topics);
};

std::string metrics_page(const Counted& counted);

}  // namespace nuropb::meshd
