#pragma once
// Deadlines of sockets that are not sessions yet: for the first message (auth.first_message_ms, lines.first_line_ms), and for
// meshd's answer to the token (auth.verdict_timeout_ms). A socket that is still in the same state then is closed.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <optional>

#include "common/clock.hpp"
#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {

class MeshLink;
class SessionSlots;

class OpeningDeadlines {
 public:
  OpeningDeadlines(boost::asio::io_context& io, const Clock& clock, const SessionSlots& slots, MeshLink& link)
      : clock_(clock), slots_(slots), link_(link), timer_(io) {}

  /// The socket has to have left its present state within `limit`.
  void add(const ConsumerHandler& handler, milliseconds limit);

 private:
  struct Opening {
    records::SessionRef ref;
    ConsumerHandler::State past;
  };
  [[nodiscard]] ConsumerHandler* waiting(const Opening& opening) const;
  void watch();
  void expire();

  const Clock& clock_;
  const SessionSlots& slots_;
  MeshLink& link_;
  std::multimap<SteadyTime, Opening> openings_;  // may have sockets that have left the state, or have closed
  boost::asio::steady_timer timer_;
  std::optional<SteadyTime> timer_at_;
};

}  // namespace nuropb::edge
