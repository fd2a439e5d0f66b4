#include "edge/sessions/socket_limits.hpp"

#include <boost/asio/post.hpp>

#include "common/log.hpp"
#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {

SocketLimits::SocketLimits(const Config::Limits& limits, boost::asio::io_context& io, CachedClock& clock,
                           MeshLink& link)
    : limits_(limits), io_(io), clock_(clock), link_(link), memory_(limits.memory_bytes, Frame::bytes_in_memory) {}

void SocketLimits::relieve_soon() {
  if (relief_is_due_) return;
  relief_is_due_ = true;
  boost::asio::post(io_, [this] {
    relief_is_due_ = false;
    relieve();
  });
}

void SocketLimits::close_late_messages() {
  for (MemoryBudget::Holder* const holder : memory_.begun_before(clock_.now() - milliseconds(limits_.message_ms))) {
    memory_.complete(*holder);
    holder->give_up_message();
  }
}

void SocketLimits::log_closed(const ConsumerHandler& handler, std::string_view limit) {
  if (const auto left_out = closed_pause_.due(clock_.now()))
    log::warning(
        "a client's socket is closed",
        {{"address", handler.host()}, {"user", handler.user_id()}, {"reason", limit}, {"left_out", *left_out}});
}

}  // namespace nuropb::edge
