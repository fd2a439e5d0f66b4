#include "edge/sessions/handler_manager.hpp"

#include <algorithm>
#include <set>

#include "edge/sessions/ahead.hpp"
#include "edge/protocol/shared_message.hpp"

namespace nuropb::edge {

void HandlerManager::register_handler(Handler& handler) {
  const auto [place, fresh] = places_.try_emplace(handler.session_id(), handlers_.size());
  if (fresh) handlers_.push_back({&handler, place});
  else handlers_[place->second].handler = &handler;
  by_user_[handler.user_id()].insert(&handler);
}

void HandlerManager::unregister_handler(Handler& handler) {
  if (const auto found = places_.find(handler.session_id());
      found != places_.end() && handlers_[found->second].handler == &handler) {
    const std::size_t place = found->second;
    handlers_[place] = handlers_.back();  // the last one moves up
    handlers_[place].place->second = place;
    handlers_.pop_back();
    places_.erase(found);
  }
  const auto user = by_user_.find(handler.user_id());
  if (user == by_user_.end()) return;
  user->second.erase(&handler);
  if (user->second.empty()) by_user_.erase(user);
}

Handler* HandlerManager::get_handler(const SessionId& session) const {
  const auto found = places_.find(session);
  return found == places_.end() ? nullptr : handlers_[found->second].handler;
}

std::vector<Handler*> HandlerManager::all() const {
  std::vector<Handler*> out;
  out.reserve(handlers_.size());
  for (const Entry& entry : handlers_) out.push_back(entry.handler);
  return out;
}

std::vector<Handler*> HandlerManager::of(const std::vector<std::string>& user_ids) const {
  std::vector<Handler*> out;
  for (const std::string& user : std::set<std::string>(user_ids.begin(), user_ids.end())) {
    if (const auto found = by_user_.find(user); found != by_user_.end())
      out.insert(out.end(), found->second.begin(), found->second.end());
  }
  return out;
}

namespace {

enum class To { all, those_not_numbered };

std::size_t send(const std::vector<Handler*>& handlers, SharedMessage& message, To to = To::all) {
  std::size_t taken = 0;
  for_each_ahead(
      handlers.size(), [&](std::size_t n) { return handlers[n]; },
      [&](Handler& handler) {
        if ((to == To::all || !handler.numbered()) && handler.write_shared(message)) ++taken;
      });
  return taken;
}

std::size_t end(const std::vector<Handler*>& handlers, std::uint16_t code, std::string_view reason) {
  for (Handler* handler : handlers) handler->close(code, reason);
  return handlers.size();
}

}  // namespace

std::size_t HandlerManager::send_message(const SessionId& session, std::string_view text) {
  Handler* const handler = get_handler(session);
  SharedMessage message(text, false);
  return handler && handler->write_shared(message) ? 1 : 0;
}

std::size_t HandlerManager::send_message_to_user_ids(const std::vector<std::string>& user_ids, std::string_view text) {
  SharedMessage message(text, false);
  return send(of(user_ids), message);
}

std::size_t HandlerManager::send_message_to_all(std::string_view text) {
  SharedMessage message(text, false);
  return send(all(), message);
}

std::size_t HandlerManager::send_to_all(SharedMessage& message) { return send(all(), message, To::those_not_numbered); }

std::size_t HandlerManager::close(const SessionId& session, std::uint16_t code, std::string_view reason) {
  Handler* const handler = get_handler(session);
  if (handler) handler->close(code, reason);
  return handler ? 1 : 0;
}

std::size_t HandlerManager::close_user_ids(const std::vector<std::string>& user_ids, std::uint16_t code,
                                           std::string_view reason) {
  return end(of(user_ids), code, reason);
}

std::size_t HandlerManager::close_all(std::uint16_t code, std::string_view reason) { return end(all(), code, reason); }

}  // namespace nuropb::edge
