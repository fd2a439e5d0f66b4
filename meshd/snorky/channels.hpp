#pragma once
// Which sockets are in which channel, of one service. A channel is the canonical text of a JSON value (value.hpp).
// Bounded per socket by the service, in all by the sockets that there can be. One thread.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/snorky/service.hpp"

namespace nuropb::meshd::snorky {

/// Bytes of a channel as it was written.
inline constexpr std::size_t max_channel = 1024;

class Channels {
 public:
  /// False if it is in it already (or is not).
  bool add(const std::string& channel, const SessionRef& session);
  bool remove(const std::string& channel, const SessionRef& session);
  /// Takes the socket out of all of its channels, and tells which they were.
  std::vector<std::string> remove_all(const SessionRef& session);

  [[nodiscard]] bool contains(const std::string& channel, const SessionRef& session) const;
  /// nullptr: nobody is in it.
  [[nodiscard]] const Sessions* members(const std::string& channel) const;
  [[nodiscard]] std::size_t count(const SessionRef& session) const;
  [[nodiscard]] std::size_t size() const { return channels_.size(); }

 private:
  using ByName = std::map<std::string, Sessions>;
  ByName channels_;
  std::map<SessionRef, std::set<const std::string*>> by_session_;  // names in channels_, whose nodes don't move
};

}  // namespace nuropb::meshd::snorky
