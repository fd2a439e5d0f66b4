#pragma once
// When to ask whether the node that we are connected to is still one of a majority of its cluster.
//
// From RabbitMQ 4.3 on, a node that is cut off from the others serves its clients as if nothing had happened, except for
// what changes the cluster's metadata: that it refuses after half a minute, with 541, which closes the connection. So a
// participant would stay beside such a node, and say that it is ready. A binding that is there already, bound once more,
// changes nothing, and is answered by a majority alone: the connection is lost, and the next one goes to another node, for
// a node without a majority refuses the same binding at its set-up. Nodes of older versions pause by themselves.

#include "common/clock.hpp"

namespace nuropb::mesh {

class MajorityLook {
 public:
  static constexpr auto every = std::chrono::seconds(10);

  /// The connection has been set up, which a majority has answered.
  void begin(SteadyTime now) { next_ = now + every; }
  /// True once when it is time; not where the answer could be held up for another reason.
  bool due(SteadyTime now, bool may_ask) {
    if (now < next_) return false;
    next_ = now + every;
    return may_ask;
  }

 private:
  SteadyTime next_ = SteadyTime::max();
};

}  // namespace nuropb::mesh
