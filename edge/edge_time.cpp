// What the edge does by the clock: requests, held messages and backends' calls that have waited too long, and new
// sockets that don't become sessions. Where consumers say nothing, none of these timers run.

#include "edge/edge.hpp"

#include <boost/asio/post.hpp>

#include "common/close_codes.hpp"
#include "common/log.hpp"

namespace nuropb::edge {

namespace {
constexpr auto vanished_look = std::chrono::seconds(1);
}

void Edge::arm_timer() {
  if (timer_armed_) return;
  if (pending_.size() == 0 && held_.empty() && backend_calls_.empty()) return;  // an idle edge sleeps
  timer_armed_ = true;
  timer_.expires_after(PendingRequests::tick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    timer_armed_ = false;
    if (!error) on_timer();
  });
}

void Edge::on_timer() {
  const auto now = clock_.now();
  pending_.expire(now, [&](const PendingRequests::Taken& taken) {
    if (ConsumerHandler* const handler = find(taken.session)) expire(*handler, taken);
  });
  show_state();
  expire_held(now);
  expire_backend(now);
  arm_timer();
}

void Edge::expire_held(SteadyTime now) {
  if (held_.empty()) return;
  std::vector<ConsumerHandler*> due;
  for (ConsumerHandler* handler : held_) {
    if (handler->held_until() <= now) due.push_back(handler);
  }
  for (ConsumerHandler* handler : due) {
    held_.erase(handler);
    handler->resume();
  }
  if (next_look_ <= now) {
    next_look_ = now + vanished_look;
    drop_vanished();
  }
}

void Edge::drop_vanished() {
  // Nobody reads from a socket that is held back, so its end would be seen only after the broker's return: until then
  // consumers that give up and come again would fill the limit of connections.
  std::vector<ConsumerHandler*> gone;
  for (ConsumerHandler* handler : held_) {
    if (handler->peer_gone()) gone.push_back(handler);
  }
  for (ConsumerHandler* handler : gone) handler->close(close_code::going_away, "");
}

void Edge::close_late_messages() {
  for (MemoryBudget::Holder* const holder :
       memory_.begun_before(clock_.now() - milliseconds(config_.limits.message_ms))) {
    memory_.complete(*holder);
    holder->give_up_message();
  }
}

void Edge::relieve_memory_soon() {
  if (relief_is_due_) return;
  relief_is_due_ = true;
  boost::asio::post(io_, [this] {
    relief_is_due_ = false;
    relieve_memory();
  });
}

void Edge::log_closed(const ConsumerHandler& handler, std::string_view limit) {
  if (const auto left_out = closed_pause_.due(clock_.now()))
    log::warning(
        "a client's socket is closed",
        {{"address", handler.host()}, {"user", handler.user_id()}, {"reason", limit}, {"left_out", *left_out}});
}

void Edge::await_opening(const ConsumerHandler& handler, milliseconds limit) {
  opening_.emplace(clock_.now() + limit, Opening{handler.slot(), handler.serial(), handler.state()});
  watch_opening();
}

bool Edge::waits(const Opening& opening) const {
  const ConsumerHandler* const handler = find(opening.slot);
  return handler && handler->serial() == opening.serial && handler->state() == opening.past;
}

void Edge::watch_opening() {
  // Most have long been judged when others come, so what is kept of them stays as short as judging takes.
  while (!opening_.empty() && !waits(opening_.begin()->second)) opening_.erase(opening_.begin());
  if (opening_.empty()) return;
  const SteadyTime next = opening_.begin()->first;
  if (opening_timer_at_ && *opening_timer_at_ <= next) return;
  opening_timer_at_ = next;
  opening_timer_.expires_at(next);
  opening_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // set anew, to an earlier time
    opening_timer_at_.reset();
    expire_opening();
  });
}

void Edge::expire_opening() {
  const auto now = clock_.now();
  while (!opening_.empty() && opening_.begin()->first <= now) {
    const Opening opening = opening_.begin()->second;
    opening_.erase(opening_.begin());
    if (!waits(opening)) continue;
    if (opening.past == ConsumerHandler::State::judging) {
      find(opening.slot)->close(close_code::mesh_unavailable, "no verdict on the token in time");
    } else {
      link_.count(shm::EdgeCounter::no_first_message);
      find(opening.slot)->close(close_code::authorize_timeout, "no authorize message in time");
    }
  }
  watch_opening();
}

}  // namespace nuropb::edge
