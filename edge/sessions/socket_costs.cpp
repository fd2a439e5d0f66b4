#include "edge/sessions/socket_costs.hpp"

#include "common/close_codes.hpp"
#include "edge/sessions/consumer_handler.hpp"
#include "edge/sessions/socket_limits.hpp"

namespace nuropb::edge {
namespace {

using What = MemoryBudget::What;

}  // namespace

SocketCosts::~SocketCosts() { limits_.memory().forget(*this); }

std::string_view SocketCosts::owner() const {
  return handler_.user_id().empty() ? handler_.host() : std::string_view(handler_.user_id());
}

void SocketCosts::on_unfinished(std::size_t bytes) {
  if (handler_.state() == ConsumerHandler::State::closing) return;
  MemoryBudget& memory = limits_.memory();
  if (bytes == 0) {
    memory.complete(*this);
    return held(handler_.held_bytes());  // it may be paused now
  }
  memory.begin(*this, limits_.clock().refresh());
  if (memory.set(*this, What::incoming, {bytes, 0})) limits_.relieve();
}

void SocketCosts::on_frames(std::size_t count) {
  if (handler_.state() == ConsumerHandler::State::closing) return;
  const auto& limits = limits_.config();
  const SteadyTime now = limits_.clock().refresh();
  const Rates frames{.bytes_per_s = limits.control_frames_per_s, .bytes_burst = 10 * limits.control_frames_per_s};
  bool out_of_patience = frame_rate_.take(frames, now, count).out_of_patience;
  for (std::size_t i = 0; limits.connection.any() && i < count; ++i)
    out_of_patience = out_of_patience || rate_.take(limits.connection, now, 0).out_of_patience;
  if (!out_of_patience) return;
  limits_.count(shm::EdgeCounter::over_control_frames);
  limits_.log_closed(handler_, "limits.control_frames_per_s");
  handler_.close(close_code::rate_exceeded, "too many pings or parts of messages (limits.control_frames_per_s)");
}

void SocketCosts::on_no_memory() {
  limits_.count(shm::EdgeCounter::over_memory);
  limits_.log_closed(handler_, "there is no memory");
}

void SocketCosts::give_way(What most) {
  limits_.count(shm::EdgeCounter::over_memory);
  limits_.log_closed(handler_, "limits.memory_bytes");
  handler_.give_up_memory(most);
}

void SocketCosts::give_up_message() {
  limits_.count(shm::EdgeCounter::over_message_ms);
  limits_.log_closed(handler_, "limits.message_ms");
  handler_.close(close_code::idle, "the message did not arrive in time (limits.message_ms)");
}

void SocketCosts::unread(MemoryBudget::Bytes bytes) {
  if (limits_.memory().set(*this, What::outgoing, bytes)) limits_.relieve_soon();
}

void SocketCosts::held(std::size_t bytes) {
  if (limits_.memory().set(*this, What::incoming, {bytes, 0})) limits_.relieve_soon();
}

void SocketCosts::closing() {
  limits_.memory().complete(*this);
  (void)limits_.memory().set(*this, What::incoming, {});
}

}  // namespace nuropb::edge
