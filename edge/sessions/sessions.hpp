#pragma once
// The tables of an edge: its sockets, what they wait for, and what is known of clients that are not authenticated.
//
// Owner thread: the edge's io_context.

#include "edge/sessions/guess_guard.hpp"
#include "edge/sessions/opening_deadlines.hpp"
#include "edge/sessions/paused_sessions.hpp"
#include "edge/sessions/pending_requests.hpp"
#include "edge/sessions/session_slots.hpp"
#include "edge/sessions/silent_sockets.hpp"

namespace nuropb::edge {

struct Sessions {
  Sessions(const Config& config, boost::asio::io_context& io, const Clock& clock, MeshLink& link, SocketLimits& sockets)
      : slots(link),
        openings(io, clock, slots, link),
        silent(config.auth.first_message_waiting, sockets),
        guesses(config.limits.refused_tokens_per_s, clock, link) {}

  SessionSlots slots;
  PendingRequests pending;
  PausedSessions paused;
  OpeningDeadlines openings;
  SilentSockets silent;
  GuessGuard guesses;
};

}  // namespace nuropb::edge
