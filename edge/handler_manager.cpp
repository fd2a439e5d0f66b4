#include "edge/handler_manager.hpp"

#include <set>

namespace nuropb::edge {

void HandlerManager::register_handler(Handler& handler) {
  handlers_[handler.session_id()] = &handler;
  by_user_[handler.user_id()].insert(&handler);
}

void HandlerManager::unregister_handler(Handler& handler) {
  const auto found = handlers_.find(handler.session_id());
  if (found == handlers_.end() || found->second != &handler) return;
  handlers_.erase(found);
  const auto user = by_user_.find(handler.user_id());
  if (user == by_user_.end()) return;
  user->second.erase(&handler);
  if (user->second.empty()) by_user_.erase(user);
}

Handler* HandlerManager::get_handler(const SessionId& session) const {
  const auto found = handlers_.find(session);
  return found == handlers_.end() ? nullptr : found->second;
}

template <class Work>
std::size_t HandlerManager::each_of(const std::vector<std::string>& user_ids, Work&& work) {
  std::size_t count = 0;
  for (const std::string& user : std::set<std::string>(user_ids.begin(), user_ids.end())) {
    const auto found = by_user_.find(user);
    if (found == by_user_.end()) continue;
    for (Handler* handler : found->second) work(*handler);
    count += found->second.size();
  }
  return count;
}

std::size_t HandlerManager::send_message(const SessionId& session, std::string_view message) {
  Handler* const handler = get_handler(session);
  if (handler) handler->write_message(message);
  return handler ? 1 : 0;
}

std::size_t HandlerManager::send_message_to_user_ids(const std::vector<std::string>& user_ids, std::string_view message) {
  return each_of(user_ids, [&](Handler& handler) { handler.write_message(message); });
}

std::size_t HandlerManager::send_message_to_all(std::string_view message) {
  for (const auto& [session, handler] : handlers_) handler->write_message(message);
  return handlers_.size();
}

std::size_t HandlerManager::close(const SessionId& session, std::uint16_t code, std::string_view reason) {
  Handler* const handler = get_handler(session);
  if (handler) handler->close(code, reason);
  return handler ? 1 : 0;
}

std::size_t HandlerManager::close_user_ids(const std::vector<std::string>& user_ids, std::uint16_t code, std::string_view reason) {
  return each_of(user_ids, [&](Handler& handler) { handler.close(code, reason); });
}

std::size_t HandlerManager::close_all(std::uint16_t code, std::string_view reason) {
  for (const auto& [session, handler] : handlers_) handler->close(code, reason);
  return handlers_.size();
}

}  // namespace nuropb::edge
