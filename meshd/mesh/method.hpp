#pragma once
// What a service says of a method, and what is checked before the method runs (nuropb-wire.md section 1, "Service
// discovery").

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nuropb::mesh {

struct Parameter {
  std::string name;
  /// JSON schema's word (string, number, integer, boolean, object, array) or the Python peer's (str, float, int, bool,
  /// dict, list). A value of another type is refused. "any" takes every value.
  std::string type = "any";
  bool required = true;
  std::string description{};
  /// What the handler sees where a caller has not given it; described as "default". Such a parameter may be null too.
  nlohmann::json fallback = nullptr;
};

/// Turns the token in a call's context into claims, or throws CallError (NuropbAuthenticationError: we don't know who
/// that is; NuropbAuthorizationError: we do, and they may not). Null claims refuse too.
using Authorize = std::function<nlohmann::json(const std::string& token)>;

struct MethodInfo {
  std::string description{};
  std::vector<Parameter> parameters{};
  bool hidden = false;               ///< callable, but not described
  bool any_parameters = false;       ///< takes others than the declared ones too
  bool needs_context = false;        ///< refused where the message has no context
  bool requires_encryption = false;  ///< refused unless it came encrypted; described, so that callers know
  Authorize authorize{};             ///< empty: everybody may call it
  std::string context_token_key = "Authorization";  ///< the member of the context that `authorize` gets
};

/// Throws std::invalid_argument for a declaration that can't be meant: an unknown type, a name twice, a default of
/// another type than its parameter. A programming mistake, so it is told when the service starts.
void check_declaration(const std::string& method, const MethodInfo& info);

/// Checks `params` (an object) against the declaration and fills in defaults. What is wrong, for the caller to read,
/// or nothing.
std::optional<std::string> accept_parameters(const MethodInfo& info, const std::string& method, nlohmann::json& params);

/// The method's entry in the answer to `nuropb_describe`.
nlohmann::json description_of(const MethodInfo& info);

}  // namespace nuropb::mesh
