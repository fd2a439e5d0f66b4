#include "edge/sessions/opening_deadlines.hpp"

#include "common/close_codes.hpp"
#include "edge/link/mesh_link.hpp"
#include "edge/sessions/session_slots.hpp"

namespace nuropb::edge {

void OpeningDeadlines::add(const ConsumerHandler& handler, milliseconds limit) {
  openings_.emplace(clock_.now() + limit, Opening{handler.ref(), handler.state()});
  watch();
}

/// Its handler, if it has to be closed; else nullptr.
ConsumerHandler* OpeningDeadlines::waiting(const Opening& opening) const {
  ConsumerHandler* const handler = slots_.find(opening.ref);
  return handler && handler->state() == opening.past ? handler : nullptr;
}

void OpeningDeadlines::watch() {
  // Most sockets are authenticated long before their deadline. Entries that are not needed any more are dropped here, so the
  // map has about as many as there are sockets that wait.
  while (!openings_.empty() && !waiting(openings_.begin()->second)) openings_.erase(openings_.begin());
  if (openings_.empty()) return;
  const SteadyTime next = openings_.begin()->first;
  if (timer_at_ && *timer_at_ <= next) return;
  timer_at_ = next;
  timer_.expires_at(next);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // set to an earlier time
    timer_at_.reset();
    expire();
  });
}

void OpeningDeadlines::expire() {
  const auto now = clock_.now();
  while (!openings_.empty() && openings_.begin()->first <= now) {
    const Opening opening = openings_.begin()->second;
    openings_.erase(openings_.begin());
    ConsumerHandler* const handler = waiting(opening);
    if (!handler) continue;
    if (opening.past == ConsumerHandler::State::authenticating) {
      handler->close(close_code::mesh_unavailable, "no verdict on the token in time");
    } else {
      link_.count(shm::EdgeCounter::no_first_message);
      handler->close(close_code::authorize_timeout, "no authorize message in time");
    }
  }
  watch();
}

}  // namespace nuropb::edge
