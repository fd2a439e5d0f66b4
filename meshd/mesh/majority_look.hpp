#pragma once
// Decides when to check whether the connected node still belongs to a majority of its cluster.
//
// Since RabbitMQ 4.3, a node that is partitioned from the others serves its clients normally, except for changes of the
// cluster's metadata: after half a minute it refuses these with 541, which closes the connection. So a participant
// would stay connected to such a node and report that it is ready. Repeating an existing binding changes nothing, but
// only a majority can confirm it: without one the connection is lost, and the next one goes to another node, because a
// node without a majority refuses the same binding during set-up. Nodes of older versions pause by themselves.

#include "common/clock.hpp"

namespace nuropb::mesh {

class MajorityLook {
 public:
  static constexpr auto every = std::chrono::seconds(10);

  /// To be called when a connection has been set up, which a majority has confirmed.
  void begin(SteadyTime now) { next_ = now + every; }
  /// Returns true once per period; false while `may_ask` is not set, because the answer could then be late for another
  /// reason.
  bool due(SteadyTime now, bool may_ask) {
    if (now < next_) return false;
    next_ = now + every;
    return may_ask;
  }

 private:
  SteadyTime next_ = SteadyTime::max();
};

}  // namespace nuropb::mesh
