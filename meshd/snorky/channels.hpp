#pragma once
// The subscriptions of one service: which sockets are in which channel. A channel is the canonical text of a JSON value
// (value.hpp). The service limits channels per socket; the total is bounded by the number of sockets. One thread.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

/// Maximum bytes of a channel as the client wrote it.
inline constexpr std::size_t max_channel = 1024;

class Channels {
 public:
  /// Returns false if the socket is already in the channel (remove: is not in it).
  bool add(const std::string& channel, const SessionRef& session);
  bool remove(const std::string& channel, const SessionRef& session);
  /// Removes the socket from all its channels and returns them.
  std::vector<std::string> remove_all(const SessionRef& session);

  [[nodiscard]] bool contains(const std::string& channel, const SessionRef& session) const;
  /// nullptr if the channel has no members.
  [[nodiscard]] const Sessions* members(const std::string& channel) const;
  [[nodiscard]] std::size_t count(const SessionRef& session) const;
  [[nodiscard]] std::size_t size() const { return channels_.size(); }

 private:
  using ByName = std::map<std::string, Sessions>;
  ByName channels_;
  std::map<SessionRef, std::set<const std::string*>> by_session_;  // names in channels_, whose nodes are stable
};

}  // namespace nuropb::meshd::snorky
