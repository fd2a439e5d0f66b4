#include "meshd/snorky/channels.hpp"

namespace nuropb::meshd::snorky {

bool Channels::add(const std::string& channel, const SessionRef& session) {
  const auto place = channels_.try_emplace(channel).first;
  if (!place->second.insert(session).second) return false;
  by_session_[session].insert(&place->first);
  return true;
}

bool Channels::remove(const std::string& channel, const SessionRef& session) {
  const auto found = channels_.find(channel);
  if (found == channels_.end() || found->second.erase(session) == 0) return false;
  const auto of = by_session_.find(session);
  of->second.erase(&found->first);
  if (of->second.empty()) by_session_.erase(of);
  if (found->second.empty()) channels_.erase(found);
  return true;
}

std::vector<std::string> Channels::remove_all(const SessionRef& session) {
  std::vector<std::string> left;
  const auto of = by_session_.find(session);
  if (of == by_session_.end()) return left;
  for (const std::string* name : of->second) left.push_back(*name);
  by_session_.erase(of);
  for (const std::string& name : left) {
    const auto found = channels_.find(name);
    found->second.erase(session);
    if (found->second.empty()) channels_.erase(found);
  }
  return left;
}

bool Channels::contains(const std::string& channel, const SessionRef& session) const {
  const Sessions* const in = members(channel);
  return in && in->contains(session);
}

const Sessions* Channels::members(const std::string& channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &found->second;
}

std::size_t Channels::count(const SessionRef& session) const {
  const auto found = by_session_.find(session);
  return found == by_session_.end() ? 0 : found->second.size();
}

}  // namespace nuropb::meshd::snorky
