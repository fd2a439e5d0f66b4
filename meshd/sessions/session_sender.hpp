#pragma once
// How a client is told something by meshd itself. What is behind this interface (resume/mailbox_delivery.hpp) is the only place
// that knows whether a session's messages go to its edge or into its mailbox. Owner thread: the event loop.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/ids.hpp"
#include "meshd/session_table.hpp"
#include "meshd/workers/worker.hpp"

namespace nuropb::meshd {

class SessionSender {
 public:
  virtual ~SessionSender() = default;
  /// A message of the gateway's own: JSON, as the client gets it. The session has a socket, in this slot.
  virtual void notify(Worker& worker, std::uint32_t slot, Session& session, const std::string& text) = 0;
  /// The session's subscription to the topic is over, for the reason in `text` (JSON): the client is told, and its edge, if it has
  /// one. `worker`: nullptr for a session that is detached.
  virtual void end_subscription(Worker* worker, std::uint32_t slot, Session& session, std::string_view topic,
                                const std::string& text) = 0;
  /// Events of the topic are not for this session any more.
  virtual void forget_topic(Session& session, std::string_view topic) = 0;
  /// The address under which the session's subscriptions are held. That of a session whose messages are numbered stays the same
  /// wherever its socket is.
  [[nodiscard]] virtual ReturnAddress holder(WorkerId worker, std::uint32_t slot, const Session& session) const = 0;
};

}  // namespace nuropb::meshd
