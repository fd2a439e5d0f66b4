#include "meshd/auth/claims.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;

Result<std::string> text_of(const json& value, const std::string& name) {
  std::string out;
  if (value.is_string()) out = value.get<std::string>();
  else if (value.is_number_integer()) out = value.dump();
  else return failure("claim '" + name + "' is not a text");
  if (out.size() > max_name) return failure("claim '" + name + "' is longer than 1024 bytes");
  return out;
}

Result<std::vector<std::string>> roles_of(const json& value, const std::string& name) {
  std::vector<std::string> out;
  if (value.is_null()) return out;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find(' ', at), text.size());
      if (end > at) out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }
  if (!value.is_array()) return failure("claim '" + name + "' is neither a list nor a text");
  for (const auto& role : value) {
    if (!role.is_string()) return failure("claim '" + name + "' has an entry that is not a text");
    out.push_back(role.get<std::string>());
  }
  return out;
}

}  // namespace

const json* find_claim(const json& claims, std::string_view name) {
  if (!claims.is_object() || name.empty()) return nullptr;
  if (const auto found = claims.find(std::string(name)); found != claims.end()) return &*found;
  const auto dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const auto outer = claims.find(std::string(name.substr(0, dot)));
  return outer == claims.end() ? nullptr : find_claim(*outer, name.substr(dot + 1));
}

std::optional<std::int64_t> numeric_date(const json& value) {
  if (!value.is_number()) return {};
  // Converted through a double only if it is one, because integers above 2^53 would change.
  if (value.is_number_unsigned())
    return static_cast<std::int64_t>(std::min<std::uint64_t>(value.get<std::uint64_t>(), far_future));
  if (value.is_number_integer()) return std::clamp<std::int64_t>(value.get<std::int64_t>(), far_past, far_future);
  const double seconds = std::floor(value.get<double>());
  if (std::isnan(seconds)) return {};
  if (seconds >= static_cast<double>(far_future)) return far_future;
  if (seconds <= static_cast<double>(far_past)) return far_past;
  return static_cast<std::int64_t>(seconds);
}

Result<Identity> identity_of(const json& claims, const ClaimNames& names) {
  if (!claims.is_object()) return failure("the claims are not an object");
  Identity identity;
  const json* const user = find_claim(claims, names.user_id);
  if (!user) return failure("claim '" + names.user_id + "', the user id, is missing");
  auto user_id = text_of(*user, names.user_id);
  if (!user_id) return tl::unexpected(user_id.error());
  if (user_id->empty()) return failure("claim '" + names.user_id + "', the user id, is empty");
  identity.user_id = std::move(*user_id);
  if (const json* const username = find_claim(claims, names.username); username && !username->is_null()) {
    auto text = text_of(*username, names.username);
    if (!text) return tl::unexpected(text.error());
    identity.username = std::move(*text);
  }
  if (const json* const list = find_claim(claims, names.roles)) {
    auto roles = roles_of(*list, names.roles);
    if (!roles) return tl::unexpected(roles.error());
    identity.roles = std::move(*roles);
  }
  json kept = json::object();
  if (names.keep.empty()) kept = claims;
  for (const std::string& name : names.keep) {
    if (const auto found = claims.find(name); found != claims.end()) kept[name] = *found;
  }
  identity.claims = kept.dump(-1, ' ', false, json::error_handler_t::replace);
  std::size_t size = identity.claims.size();
  for (const std::string& role : identity.roles) size += role.size() + sizeof(std::uint32_t);
  if (size > max_claims) return failure("roles and claims are larger than 8 KiB: name the claims that count");
  return identity;
}

}  // namespace nuropb::meshd
