#include "meshd/subscriptions.hpp"

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

bool Subscriptions::remove(std::string_view name, WorkerId worker) {
  const auto place = patterns_.find(name);
  if (place == patterns_.end()) return false;
  auto& sessions = place->second.sessions;
  const auto count = sessions.find(worker);
  if (count == sessions.end()) return false;
  if (--count->second > 0) return false;
  sessions.erase(count);
  index_.remove(name, id_of(worker));
  if (!sessions.empty()) return false;
  patterns_.erase(place);
  return true;
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
