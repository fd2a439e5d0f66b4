#pragma once
// The declaration of a service's method, and the checks before it runs (nuropb-wire.md section 1, "Service discovery").

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
  /// A type name of JSON schema (string, number, integer, boolean, object, array) or of the Python peer (str, float,
  /// int, bool, dict, list). A value of another type is refused. "any" accepts every value.
  std::string type = "any";
  bool required = true;
  std::string description{};
  /// The value for a parameter that the caller omits; described as "default". Such a parameter may also be null.
  nlohmann::json fallback = nullptr;
};

/// Turns the token in a call's context into claims, or throws CallError (NuropbAuthenticationError: unknown user;
/// NuropbAuthorizationError: known user without permission). Null claims refuse, too.
using Authorize = std::function<nlohmann::json(const std::string& token)>;

struct MethodInfo {
  std::string description{};
  std::vector<Parameter> parameters{};
  bool hidden = false;               ///< callable, but not described
  bool any_parameters = false;       ///< also accepts undeclared parameters
  bool needs_context = false;        ///< refused if the message has no context
  bool requires_encryption = false;  ///< refused unless the message is encrypted; part of the description
  Authorize authorize{};             ///< empty: every caller is allowed
  std::string context_token_key = "Authorization";  ///< the member of the context that is passed to `authorize`
};

/// Throws std::invalid_argument for an invalid declaration: an unknown type, a duplicate name, a default of another
/// type than its parameter. It is a programming mistake, so it is reported when the service starts.
void check_declaration(const std::string& method, const MethodInfo& info);

/// Validates `params` (an object) against the declaration and fills in defaults. Returns what is wrong, as text for the
/// caller, or nothing.
std::optional<std::string> accept_parameters(const MethodInfo& info, const std::string& method, nlohmann::json& params);

/// The method's entry in the response to `nuropb_describe`.
nlohmann::json description_of(const MethodInfo& info);

}  // namespace nuropb::mesh
