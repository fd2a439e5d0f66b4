#pragma once
// Plain HTTP requests at the port of the WebSockets: /healthz and /readyz for load balancers, and a clear answer to anything
// else.
//
// Owner thread: the edge's io_context.

#include <string_view>

#include "common/config.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class DrainController;
class MeshLink;
class PendingRequests;
class SessionSlots;

class HealthProbe {
 public:
  HealthProbe(const Config& config, const MeshLink& link, const SessionSlots& slots, const PendingRequests& pending,
              const DrainController& drain)
      : config_(config), link_(link), slots_(slots), pending_(pending), drain_(drain) {}

  [[nodiscard]] HttpAnswer answer(const Handshake& request) const;
  /// `page`: one of is_probe().
  [[nodiscard]] HttpAnswer probe(std::string_view page) const;

 private:
  const Config& config_;
  const MeshLink& link_;
  const SessionSlots& slots_;
  const PendingRequests& pending_;
  const DrainController& drain_;
};

}  // namespace nuropb::edge
