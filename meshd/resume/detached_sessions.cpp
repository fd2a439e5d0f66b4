#include "meshd/resume/detached_sessions.hpp"

#include <utility>

namespace nuropb::meshd {
namespace {

constexpr std::size_t most_remembered = 4096;  // sessions that ended, for the reason that is told

}  // namespace

bool DetachedSessions::keep(WorkerId worker, SessionTable& table, std::uint32_t slot, std::uint16_t code) {
  Session* const session = table.find(slot);
  if (!session || !session->mailbox || session->state != SessionState::open) return false;
  if (!may_come_back(code)) {
    remember_ended(*session, "ended");
    return false;
  }
  detach(worker, table, slot);
  return true;
}

void DetachedSessions::detach(WorkerId worker, SessionTable& table, std::uint32_t slot) {
  auto session = table.release(slot);
  sessions_.socket_gone(worker, slot, session->serial);  // what it has there is not for another socket
  session->place = {};                                   // a session without a socket is no connection
  session->authorizing = false;
  std::uint32_t to = slots_;
  if (free_slots_.empty()) {
    ++slots_;
  } else {
    to = free_slots_.back();
    free_slots_.pop_back();
  }
  session->indexed.worker = numbered_worker;
  session->indexed.slot = to;
  Mailbox& box = *session->mailbox;
  mailboxes_.move(box, {});
  box.parked_until = clock_.now() + milliseconds(settings_.window_ms);
  parking_.add(box.id(), session->identity.user_id(), box.parked_until);
  table_.adopt(to, std::move(session));
  ++counters_.detached;
  if (table_.open() > settings_.sessions) {
    if (const auto id = parking_.gives_way()) drop(mailboxes_.find(*id)->owner(), "too_many");
  }
  on_deadline_();
}

std::unique_ptr<Session> DetachedSessions::reattach(Mailbox& box) {
  const std::uint32_t slot = box.owner().indexed.slot;
  parking_.remove(box.id());
  free_slots_.push_back(slot);
  return table_.release(slot);
}

void DetachedSessions::drop(Session& session, std::string_view reason) {
  const auto gone = reattach(*session.mailbox);
  remember_ended(*gone, reason);
  sessions_.forget(numbered_worker, 0, *gone);
  gone->go();
  ++counters_.ended;
}

void DetachedSessions::expire(SteadyTime now) {
  while (const auto id = parking_.due(now)) drop(mailboxes_.find(*id)->owner(), "expired");
}

std::string_view DetachedSessions::why_ended(const SessionId& id) const {
  const auto found = ended_.find(id);
  return found == ended_.end() ? std::string_view() : found->second;
}

void DetachedSessions::remember_ended(const Session& session, std::string_view reason) {
  if (!session.mailbox) return;
  if (!ended_.emplace(session.id, reason).second) return;
  ended_order_.push_back(session.id);
  if (ended_order_.size() <= most_remembered) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

}  // namespace nuropb::meshd
