#pragma once
// From a judge's JSON (a JWT's claims, an introspection's answer, a service's result) to an identity. Pure; the JSON may
// be anybody's.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

/// Which members mean what. A name with dots leads into objects, unless a member has it whole. Empty: not looked at.
struct ClaimNames {
  std::string user_id = "sub";
  std::string username = "name";
  std::string roles = "roles";      ///< a list of texts, or a text with spaces between them
  std::vector<std::string> keep{};  ///< what becomes Identity::claims; empty: all
};

/// Without token and authorizer. The error says which claim is missing or of the wrong kind, and never its value.
Result<Identity> identity_of(const nlohmann::json& claims, const ClaimNames& names);

/// The claim by its name, with or without dots; nullptr if there is none.
const nlohmann::json* find_claim(const nlohmann::json& claims, std::string_view name);

/// Times beyond these mean the same as they do: far away. Some issuers write the largest number that they have for
/// "never", others write milliseconds. Both leave room to add and to subtract durations, and are exact in a double.
inline constexpr std::int64_t far_future = 1LL << 52, far_past = -far_future;

/// A time of JSON (RFC 7519 NumericDate: any number) in whole seconds, rounded down and brought into those bounds;
/// nothing if it is no number.
std::optional<std::int64_t> numeric_date(const nlohmann::json& value);

}  // namespace nuropb::meshd
