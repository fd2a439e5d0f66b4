#include "meshd/session_index.hpp"

#include <cstring>

namespace nuropb::meshd {
namespace {

std::uint64_t random_odd() {
  std::uint64_t out = 0;
  random_bytes(&out, sizeof out);
  return out | 1;
}

}  // namespace

SessionIndex::SessionIndex() : ids_(IdHash{random_odd(), random_odd()}), users_(SipHash{}) {}

std::size_t SessionIndex::IdHash::operator()(const SessionId& id) const {
  std::uint64_t x = 0, y = 0;
  std::memcpy(&x, id.bytes.data(), sizeof x);
  std::memcpy(&y, id.bytes.data() + sizeof x, sizeof y);
  // Multiply-shift: without the key, colliding ids cannot be found more often than by chance.
  const std::uint64_t mixed = (x + a) * b + (y + b) * a;
  return mixed >> 16;
}

void SessionIndex::add(WorkerId worker, std::uint32_t slot, Session& session) {
  if (session.indexed.in) return;
  session.indexed = {this, nullptr, nullptr, worker, slot};
  ++count_;
  ids_.insert(session);                            // if the id is taken, the earlier session keeps it
  if (session.identity.user_id().empty()) return;  // anonymous: no user
  Session& head = users_.insert(session);
  if (&head == &session) return;
  // Inserted after the first session, which stays in the set.
  session.indexed.previous = &head;
  session.indexed.next = head.indexed.next;
  if (head.indexed.next) head.indexed.next->indexed.previous = &session;
  head.indexed.next = &session;
}

void SessionIndex::remove(Session& session) {
  if (session.indexed.in != this) return;
  --count_;
  ids_.erase(session);
  Session* const previous = session.indexed.previous;
  Session* const next = session.indexed.next;
  if (previous) {
    previous->indexed.next = next;
  } else if (!session.identity.user_id().empty()) {
    users_.erase(session);
    if (next) users_.insert(*next);
  }
  if (next) next->indexed.previous = previous;
  session.indexed = {};
}

Session* SessionIndex::find(const SessionId& id) const { return ids_.find(id); }

}  // namespace nuropb::meshd
