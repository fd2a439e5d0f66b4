#pragma once
// Whether a session outlives its socket. Sessions do not know how they are resumed: they ask this, whose implementation is
// resume/detached_sessions.hpp. Owner thread: the event loop.

#include <cstdint>
#include <string_view>

#include "meshd/session_table.hpp"

namespace nuropb::meshd {

class SessionKeeper {
 public:
  virtual ~SessionKeeper() = default;
  /// The session in this slot has lost its socket, or is about to, with this close code. True: it waits for its client now, and the
  /// slot is empty. False: it is to be ended.
  [[nodiscard]] virtual bool keep(WorkerId worker, SessionTable& table, std::uint32_t slot, std::uint16_t code) = 0;
  /// Ends a session that waits for its client, and destroys it. `reason` is a word with static storage, for a client that comes back.
  virtual void drop(Session& session, std::string_view reason) = 0;
};

}  // namespace nuropb::meshd
