#pragma once
// Converts claims (of a JWT, an introspection response or a service's result) into an identity. Pure; the JSON is
// untrusted.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

/// The names of the claims to use. A name with dots is a path into objects, unless a member has exactly that name.
/// Empty: not used.
struct ClaimNames {
  std::string user_id = "sub";
  std::string username = "name";
  std::string roles = "roles";      ///< a list of strings, or one string separated by spaces
  std::vector<std::string> keep{};  ///< claims copied to Identity::claims; empty: all
};

/// The identity without token and authorizer. The error names the claim that is missing or has the wrong type, and
/// never its value.
Result<Identity> identity_of(const nlohmann::json& claims, const ClaimNames& names);

/// Finds a claim by its name or path; nullptr if it does not exist.
const nlohmann::json* find_claim(const nlohmann::json& claims, std::string_view name);

/// Times beyond these bounds are clamped to them. Some issuers write the largest representable number for "never",
/// others write milliseconds. Both bounds leave room for adding and subtracting durations, and are exact in a double.
inline constexpr std::int64_t far_future = 1LL << 52, far_past = -far_future;

/// Converts a time in JSON (RFC 7519 NumericDate: any number) into whole seconds, rounded down and clamped. Empty if it
/// is not a number.
std::optional<std::int64_t> numeric_date(const nlohmann::json& value);

}  // namespace nuropb::meshd
