#pragma once
// The permissions of a backend's key (docs/tasks/snorky.md): which operations, on which channels, to which users. They
// limit the damage of a key that was stolen, or seen by a compromised edge.
//
//   may = ["publish", "send", "close", "list"]   publish to channels; send_to_…; close_…; sessions
//   channels = ["reports.*"]                     publish: to these channels only
//   users = ["team-*"]                           send, close, list: these users only, so neither to all nor by session id
//
// Parses the parameters of a call exactly like the called service. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd::snorky {

class BackendScope {
 public:
  using Patterns = std::vector<std::string>;

  BackendScope() = default;  ///< everything is allowed
  /// Empty patterns: no restriction. An error names the word that is not an operation.
  static Result<BackendScope> of(const std::vector<std::string>& may, Patterns channels, Patterns users);

  /// Why the call is refused; empty if it is allowed. `params` is valid JSON.
  [[nodiscard]] std::optional<std::string> refuses(std::string_view service, std::string_view command,
                                                   std::string_view params) const;

 private:
  [[nodiscard]] std::optional<std::string> refuses_channel(std::string_view params) const;
  [[nodiscard]] std::optional<std::string> refuses_users(std::string_view command, std::string_view params) const;

  unsigned may_ = ~0U;  // one bit per operation
  Patterns channels_, users_;
};

}  // namespace nuropb::meshd::snorky
