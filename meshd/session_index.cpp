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

SessionIndex::SessionIndex() : ids_(0, IdHash{random_odd(), random_odd()}, IdEqual{}) {}

std::size_t SessionIndex::IdHash::operator()(const SessionId& id) const {
  std::uint64_t x = 0, y = 0;
  std::memcpy(&x, id.bytes.data(), sizeof x);
  std::memcpy(&y, id.bytes.data() + sizeof x, sizeof y);
  // Multiply-shift: who does not know the key finds no two ids that meet more often than chance has it.
  const std::uint64_t mixed = (x + a) * b + (y + b) * a;
  return mixed >> 16;
}

void SessionIndex::add(WorkerId worker, std::uint32_t slot, Session& session) {
  if (session.indexed.in) return;
  session.indexed = {this, nullptr, nullptr, worker, slot};
  ++count_;
  ids_.insert(&session);  // an id that is taken stays whose it is
  if (session.identity.user_id.empty()) return;  // anonymous: nobody's
  const auto [first, fresh] = users_.insert(&session);
  if (fresh) return;
  // Behind the first: the set's own pointer stays.
  Session& head = **first;
  session.indexed.previous = &head;
  session.indexed.next = head.indexed.next;
  if (head.indexed.next) head.indexed.next->indexed.previous = &session;
  head.indexed.next = &session;
}

void SessionIndex::remove(Session& session) {
  if (session.indexed.in != this) return;
  --count_;
  if (const auto found = ids_.find(session.id); found != ids_.end() && *found == &session) ids_.erase(found);
  Session* const previous = session.indexed.previous;
  Session* const next = session.indexed.next;
  if (previous) {
    previous->indexed.next = next;
  } else if (next) {
    auto node = users_.extract(users_.find(&session));
    node.value() = next;
    users_.insert(std::move(node));
  } else if (!session.identity.user_id.empty()) {
    users_.erase(&session);
  }
  if (next) next->indexed.previous = previous;
  session.indexed = {};
}

Session* SessionIndex::find(const SessionId& id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : *found;
}

}  // namespace nuropb::meshd
