#include "meshd/user_patterns.hpp"

namespace nuropb::meshd {

bool UserPatterns::has_room(std::string_view user, std::string_view pattern) const {
  if (limit_ == 0) return true;
  const auto found = users_.find(user);
  return found == users_.end() || found->second.size() < limit_ || found->second.contains(pattern);
}

void UserPatterns::add(std::string_view user, std::string_view pattern) {
  if (limit_ == 0) return;
  auto found = users_.find(user);
  if (found == users_.end()) found = users_.try_emplace(std::string(user)).first;
  const auto place = found->second.find(pattern);
  if (place == found->second.end()) found->second.emplace(pattern, 1);
  else ++place->second;
}

void UserPatterns::remove(std::string_view user, std::string_view pattern) {
  const auto found = users_.find(user);
  if (found == users_.end()) return;
  const auto place = found->second.find(pattern);
  if (place == found->second.end() || --place->second > 0) return;
  found->second.erase(place);
  if (found->second.empty()) users_.erase(found);
}

}  // namespace nuropb::meshd
