#pragma once
// HandlerManager: the sessions of this edge and whose they are. One user may hold many connections.
//
// Handlers register once they are authorized and unregister when they close; the manager never owns them. Sends reach
// each connection once, however often its user is named. What reaches across edges and gateways is decided in meshd
// (meshd/pushes.hpp), which names sockets or means all of an edge. One thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "edge/sessions/handler.hpp"

namespace nuropb::edge {

class HandlerManager {
 public:
  void register_handler(Handler& handler);
  void unregister_handler(Handler& handler);

  /// nullptr if there is no such session here.
  [[nodiscard]] Handler* get_handler(const SessionId& session) const;
  [[nodiscard]] std::size_t sessions() const { return handlers_.size(); }
  [[nodiscard]] std::size_t users() const { return by_user_.size(); }

  /// Each tells how many connections took the message (or were closed).
  std::size_t send_message(const SessionId& session, std::string_view message);
  std::size_t send_message_to_user_ids(const std::vector<std::string>& user_ids, std::string_view message);
  std::size_t send_message_to_all(std::string_view message);
  /// To all but those whose messages are numbered.
  std::size_t send_to_all(SharedMessage& message);
  std::size_t close(const SessionId& session, std::uint16_t code, std::string_view reason);
  std::size_t close_user_ids(const std::vector<std::string>& user_ids, std::uint16_t code, std::string_view reason);
  std::size_t close_all(std::uint16_t code, std::string_view reason);

 private:
  // A handler that is closed, or closes over a message, unregisters: so nobody walks over the tables themselves.
  [[nodiscard]] std::vector<Handler*> all() const;
  [[nodiscard]] std::vector<Handler*> of(const std::vector<std::string>& user_ids) const;
  // Handlers lie in one piece of memory, for messages to all; sessions say where.
  using Places = std::map<SessionId, std::size_t>;
  struct Entry {
    Handler* handler;
    Places::iterator place;
  };
  Places places_;
  std::vector<Entry> handlers_;
  std::map<std::string, std::unordered_set<Handler*>, std::less<>> by_user_;  // ordered: outsiders choose the names
};

}  // namespace nuropb::edge
