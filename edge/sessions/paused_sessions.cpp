#include "edge/sessions/paused_sessions.hpp"

#include <vector>

#include "common/close_codes.hpp"
#include "edge/sessions/consumer_handler.hpp"

namespace nuropb::edge {
namespace {

constexpr auto vanished_check = std::chrono::seconds(1);

}  // namespace

void PausedSessions::resume(const std::function<bool(ConsumerHandler&)>& ready) {
  const std::vector<ConsumerHandler*> waiting(paused_.begin(), paused_.end());
  paused_.clear();
  for (ConsumerHandler* handler : waiting) {
    if (ready(*handler)) handler->resume();
    else paused_.insert(handler);
  }
}

void PausedSessions::expire(SteadyTime now) {
  if (paused_.empty()) return;
  std::vector<ConsumerHandler*> due;
  for (ConsumerHandler* handler : paused_) {
    if (handler->paused_until() <= now) due.push_back(handler);
  }
  for (ConsumerHandler* handler : due) {
    paused_.erase(handler);
    handler->resume();
  }
  if (next_check_ <= now) {
    next_check_ = now + vanished_check;
    close_vanished();
  }
}

/// Nothing is read from a paused socket, so its end would be seen only when the broker returns: until then clients that
/// disconnect and connect again would fill the limit of connections.
void PausedSessions::close_vanished() {
  std::vector<ConsumerHandler*> gone;
  for (ConsumerHandler* handler : paused_) {
    if (handler->peer_gone()) gone.push_back(handler);
  }
  for (ConsumerHandler* handler : gone) handler->close(close_code::going_away, "");
}

}  // namespace nuropb::edge
