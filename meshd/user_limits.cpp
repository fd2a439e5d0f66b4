#include "meshd/user_limits.hpp"

namespace nuropb::meshd {

std::optional<UserLimits::Place> UserLimits::admit(std::string_view user_id) {
  if (user_id.empty() || (connections_ == 0 && !rates_.any())) return Place();
  auto found = users_.find(user_id);
  if (found == users_.end()) found = users_.try_emplace(std::string(user_id)).first;
  if (connections_ > 0 && found->second.connections >= connections_) return std::nullopt;
  return Place(found->second);
}

RateLimit::Answer UserLimits::take(const Place& place, SteadyTime now, std::size_t bytes) {
  if (!place.user_ || !rates_.any()) return {};
  return place.user_->rate.take(rates_, now, bytes);
}

void UserLimits::forget_idle(SteadyTime now) {
  std::erase_if(users_,
                [&](const auto& entry) { return entry.second.connections == 0 && entry.second.rate.rested(now); });
}

}  // namespace nuropb::meshd
