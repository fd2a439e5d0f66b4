#include "meshd/session_table.hpp"

#include "meshd/session_index.hpp"

namespace nuropb::meshd {

Session* SessionTable::find(std::uint32_t slot) {
  if (slot >= max_sessions_) return nullptr;
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  if (!slots_[slot]) slots_[slot] = std::make_unique<Session>();
  return slots_[slot].get();
}

Session* SessionTable::find(std::uint32_t slot, std::uint32_t serial) {
  if (slot >= slots_.size() || !slots_[slot]) return nullptr;
  Session* session = slots_[slot].get();
  return session->serial == serial && session->state != SessionState::closed ? session : nullptr;
}

void SessionTable::close(Session& session) {
  if (session.state == SessionState::open || session.state == SessionState::ended) {
    if (open_ > 0) --open_;
  }
  if (session.indexed.in) session.indexed.in->remove(session);
  session.go();
  session = Session{};
}

std::unique_ptr<Session> SessionTable::release(std::uint32_t slot) {
  if (slot >= slots_.size() || !slots_[slot]) return {};
  if ((slots_[slot]->state == SessionState::open || slots_[slot]->state == SessionState::ended) && open_ > 0) --open_;
  return std::move(slots_[slot]);
}

Session& SessionTable::adopt(std::uint32_t slot, std::unique_ptr<Session> session) {
  (void)release(slot);
  if (slot >= slots_.size()) slots_.resize(slot + 1);
  slots_[slot] = std::move(session);
  if (slots_[slot]->state == SessionState::open || slots_[slot]->state == SessionState::ended) ++open_;
  return *slots_[slot];
}

}  // namespace nuropb::meshd
