#pragma once
// What the handlers of one edge share. It has to outlive their last message, but not their destruction.

#include "common/config.hpp"

namespace nuropb::edge {

class CachedClock;
class MeshLink;
class SessionEvents;
class SocketLimits;

struct SessionContext {
  const Config::Limits& limits;
  MeshLink& link;  ///< for its counters
  CachedClock& clock;
  SocketLimits& sockets;  ///< has to outlive the handlers
  SessionEvents& events;
};

}  // namespace nuropb::edge
