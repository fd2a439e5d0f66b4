#include "meshd/parking.hpp"

namespace nuropb::meshd {

void Parking::add(std::uint32_t id, std::string_view user, SteadyTime until) {
  auto place = users_.find(user);
  if (place == users_.end()) place = users_.emplace(user, Waiting()).first;
  else ranks_.erase(rank_of(place->second));
  place->second.emplace(until, id);
  ranks_.insert(rank_of(place->second));
  by_time_.emplace(until, id);
  places_.emplace(id, Place{until, place});
}

void Parking::remove(std::uint32_t id) {
  const auto node = places_.extract(id);
  if (node.empty()) return;
  const auto [until, user] = node.mapped();
  by_time_.erase({until, id});
  ranks_.erase(rank_of(user->second));
  user->second.erase({until, id});
  if (user->second.empty()) users_.erase(user);
  else ranks_.insert(rank_of(user->second));
}

std::optional<std::uint32_t> Parking::due(SteadyTime now) const {
  if (by_time_.empty() || by_time_.begin()->first > now) return {};
  return by_time_.begin()->second;
}

std::optional<std::uint32_t> Parking::gives_way() const {
  if (ranks_.empty()) return {};
  return ranks_.rbegin()->oldest.second;
}

}  // namespace nuropb::meshd
