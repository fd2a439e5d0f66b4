#pragma once
// What all sockets of an edge share of its limits: the memory that they may use together, the time that a message may take to
// arrive, and the log of sockets that were closed for a limit. SocketCosts is the part of one socket.
//
// It has to outlive all handlers, which the io_context destroys at the latest. Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <string_view>

#include "common/clock.hpp"
#include "common/config.hpp"
#include "common/log_pause.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/sessions/cached_clock.hpp"
#include "edge/sessions/memory_budget.hpp"

namespace nuropb::edge {

class ConsumerHandler;

class SocketLimits {
 public:
  SocketLimits(const Config::Limits& limits, boost::asio::io_context& io, CachedClock& clock, MeshLink& link);

  [[nodiscard]] const Config::Limits& config() const { return limits_; }
  CachedClock& clock() { return clock_; }
  MemoryBudget& memory() { return memory_; }
  void count(shm::EdgeCounter which, std::uint64_t by = 1) { link_.count(which, by); }

  /// Closes sockets if they use too much memory. Not from where something iterates over sockets: there, relieve_soon().
  void relieve() { memory_.relieve(); }
  /// The same from the event loop.
  void relieve_soon();
  /// Closes sockets whose message takes too long to arrive (limits.message_ms).
  void close_late_messages();
  /// Logs that a client's socket is closed for a limit.
  void log_closed(const ConsumerHandler& handler, std::string_view limit);

 private:
  const Config::Limits& limits_;
  boost::asio::io_context& io_;
  CachedClock& clock_;
  MeshLink& link_;
  MemoryBudget memory_;
  bool relief_is_due_ = false;
  log::Pause closed_pause_{std::chrono::seconds(1)};
};

}  // namespace nuropb::edge
