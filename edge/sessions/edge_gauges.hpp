#pragma once
// What meshd reads of the present state of an edge, for /metrics: sockets, pending requests, file descriptors. It is never older
// than a tick while requests are pending, and never older than a beat.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <memory>

#include "edge/net/arrivals.hpp"

namespace nuropb::edge {

class DrainController;
class MeshLink;
class PendingRequests;
class SessionSlots;
class SilentSockets;

class EdgeGauges {
 public:
  EdgeGauges(MeshLink& link, const SessionSlots& slots, const PendingRequests& pending, const SilentSockets& silent,
             const DrainController& drain, std::shared_ptr<Arrivals> arrivals);

  /// Once all listeners are open, and before the first client: counts the file descriptors that the edge itself uses.
  void count_own_files();
  void publish();

 private:
  MeshLink& link_;
  const SessionSlots& slots_;
  const PendingRequests& pending_;
  const SilentSockets& silent_;
  const DrainController& drain_;
  std::shared_ptr<Arrivals> arrivals_;
  std::uint64_t own_files_ = 0, most_files_ = 0;
};

}  // namespace nuropb::edge
