#include "meshd/subscriptions.hpp"

#include <algorithm>
#include <utility>

namespace nuropb::meshd {
namespace {

TopicIndex::Id id_of(WorkerId worker) { return (std::uint64_t{worker.slot} << 32) | worker.generation; }

}  // namespace

Subscriptions::Added Subscriptions::add(std::string_view name, const ReturnAddress& asker) {
  const auto [place, fresh] = patterns_.try_emplace(std::string(name));
  Pattern& pattern = place->second;
  const WorkerId worker{asker.slot, asker.generation};
  if (++pattern.sessions[worker] == 1) index_.add(name, id_of(worker));
  if (pattern.bound) return Added::bound;
  pattern.waiting.push_back(asker);
  return fresh ? Added::first : Added::waiting;
}

Subscriptions::Removed Subscriptions::remove(std::string_view name, const ReturnAddress& session) {
  Removed out;
  const auto place = patterns_.find(name);
  if (place == patterns_.end()) return out;
  Pattern& pattern = place->second;
  const WorkerId worker{session.slot, session.generation};
  const auto count = pattern.sessions.find(worker);
  if (count == pattern.sessions.end()) return out;
  // Also bounds memory when a client alternates subscribe and unsubscribe while the broker is unavailable.
  const auto own =
      std::stable_partition(pattern.waiting.begin(), pattern.waiting.end(), [&](const ReturnAddress& asker) {
        return asker.slot != session.slot || asker.generation != session.generation || asker.session != session.session;
      });
  out.waiting.assign(own, pattern.waiting.end());
  pattern.waiting.erase(own, pattern.waiting.end());
  if (--count->second > 0) return out;
  pattern.sessions.erase(count);
  index_.remove(name, id_of(worker));
  if (!pattern.sessions.empty()) return out;
  patterns_.erase(place);
  out.last = true;
  return out;
}

void Subscriptions::move(std::string_view name, const ReturnAddress& from, const ReturnAddress& to) {
  const auto place = patterns_.find(name);
  if (place == patterns_.end()) return;
  auto& sessions = place->second.sessions;
  const WorkerId before{from.slot, from.generation}, now{to.slot, to.generation};
  const auto count = sessions.find(before);
  if (count == sessions.end() || before == now) return;
  if (++sessions[now] == 1) index_.add(name, id_of(now));
  if (--count->second > 0) return;
  sessions.erase(count);
  index_.remove(name, id_of(before));
}

std::vector<ReturnAddress> Subscriptions::bound(std::string_view name) {
  const auto place = patterns_.find(name);
  if (place == patterns_.end()) return {};
  place->second.bound = true;
  return std::exchange(place->second.waiting, {});
}

std::vector<ReturnAddress> Subscriptions::refused(std::string_view name) {
  const auto place = patterns_.find(name);
  if (place == patterns_.end()) return {};
  for (const auto& [worker, count] : place->second.sessions) index_.remove(name, id_of(worker));
  std::vector<ReturnAddress> waiting = std::move(place->second.waiting);
  patterns_.erase(place);
  return waiting;
}

void Subscriptions::match(std::string_view topic, std::vector<WorkerId>& out) const {
  index_.match(topic, found_);
  out.clear();
  for (const auto id : found_) out.push_back({static_cast<std::uint32_t>(id >> 32), static_cast<std::uint32_t>(id)});
}

}  // namespace nuropb::meshd
