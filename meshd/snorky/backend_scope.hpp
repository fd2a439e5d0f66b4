#pragma once
// What one key of a backend may do (docs/tasks/snorky.md): which operations, on which channels, to which users. A key that
// was stolen, or that an edge which was taken over has seen, is good for that and no more.
//
//   may = ["publish", "send", "close", "list"]   publish to channels; send_to_…; close_…; sessions
//   channels = ["reports.*"]                     publish: to these channels only
//   users = ["team-*"]                           send, close, list: these users only, so neither to all nor by session id
//
// Reads the parameters of a call exactly as the service does that is called. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd::snorky {

class BackendScope {
 public:
  using Patterns = std::vector<std::string>;

  BackendScope() = default;  ///< everything
  /// Empty patterns: any. An error names the word that is no operation.
  static Result<BackendScope> of(const std::vector<std::string>& may, Patterns channels, Patterns users);

  /// Why the call is refused; nothing: it is not. `params` is valid JSON.
  [[nodiscard]] std::optional<std::string> refuses(std::string_view service, std::string_view command,
                                                   std::string_view params) const;

 private:
  [[nodiscard]] std::optional<std::string> refuses_channel(std::string_view params) const;
  [[nodiscard]] std::optional<std::string> refuses_users(std::string_view command, std::string_view params) const;

  unsigned may_ = ~0U;  // one bit for each operation
  Patterns channels_, users_;
};

}  // namespace nuropb::meshd::snorky
