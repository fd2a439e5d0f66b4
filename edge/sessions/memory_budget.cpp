#include "edge/sessions/memory_budget.hpp"

#include <algorithm>
#include <map>

namespace nuropb::edge {

std::size_t MemoryBudget::bytes() const { return own_ + shared_(); }

bool MemoryBudget::set(Holder& holder, What what, Bytes bytes) {
  if (bytes.own + bytes.shared < least) bytes = {};
  Bytes& held = holder.held[static_cast<std::size_t>(what)];
  if (held.own == bytes.own && held.shared == bytes.shared) return false;
  const bool more = bytes.own + bytes.shared > held.own + held.shared;
  own_ += bytes.own;
  own_ -= held.own;
  held = bytes;
  if (holder.all() > 0) enter(holder);
  else leave_if_empty(holder);
  return more && this->bytes() > limit_;
}

void MemoryBudget::begin(Holder& holder, SteadyTime now) {
  if (holder.since != SteadyTime()) return;
  holder.since = now;
  enter(holder);
}

void MemoryBudget::complete(Holder& holder) {
  if (holder.since == SteadyTime()) return;
  holder.since = {};
  leave_if_empty(holder);
}

void MemoryBudget::enter(Holder& holder) {
  if (holder.place != Holder::nowhere) return;
  holder.place = static_cast<std::uint32_t>(holders_.size());
  holders_.push_back(&holder);
}

void MemoryBudget::leave_if_empty(Holder& holder) {
  if (holder.place == Holder::nowhere || holder.all() > 0 || holder.since != SteadyTime()) return;
  holders_.back()->place = holder.place;
  holders_[holder.place] = holders_.back();
  holders_.pop_back();
  holder.place = Holder::nowhere;
}

void MemoryBudget::forget(Holder& holder) {
  own_ -= holder.own();
  for (Bytes& held : holder.held) held = {};
  holder.since = {};
  leave_if_empty(holder);
}

/// Holders of the user with the most bytes first, and among these the largest first.
std::vector<MemoryBudget::Holder*> MemoryBudget::largest_first() const {
  std::map<std::string_view, std::size_t> by_owner;  // ordered, because untrusted peers choose the names
  for (const Holder* const one : holders_) by_owner[one->owner()] += one->all();
  using Key = std::pair<std::size_t, std::size_t>;
  std::vector<std::pair<Key, Holder*>> order;
  for (Holder* const one : holders_) {
    if (one->all() > 0) order.push_back({{by_owner[one->owner()], one->all()}, one});
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Holder*> out;
  out.reserve(order.size());
  for (const auto& [key, holder] : order) out.push_back(holder);
  return out;
}

std::size_t MemoryBudget::relieve() {
  if (bytes() <= limit_) return 0;
  std::size_t closed = 0;
  // Memory of a closed socket is released later, because the kernel may still have to accept a part of it.
  std::size_t going = 0;
  for (Holder* const one : largest_first()) {
    if (bytes() <= limit_ - limit_ / 8 + going) break;
    const auto sum = [&](What what) {
      const Bytes& held = one->held[static_cast<std::size_t>(what)];
      return held.own + held.shared;
    };
    const What most = sum(What::incoming) >= sum(What::outgoing) ? What::incoming : What::outgoing;
    going += one->held[0].shared + one->held[1].shared;
    forget(*one);
    one->give_way(most);
    ++closed;
  }
  return closed;
}

std::vector<MemoryBudget::Holder*> MemoryBudget::begun_before(SteadyTime time) const {
  std::vector<Holder*> out;
  for (Holder* const one : holders_) {
    if (one->since != SteadyTime() && one->since < time) out.push_back(one);
  }
  return out;
}

}  // namespace nuropb::edge
