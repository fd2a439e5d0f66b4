#include "meshd/auth/jwt.hpp"

#include <algorithm>
#include <array>

#include "meshd/auth/claims.hpp"
#include "meshd/auth/unpadded.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using What = JwtVerdict::What;

std::optional<std::array<std::string_view, 3>> parts_of(std::string_view token) {
  const auto first = token.find('.');
  if (first == std::string_view::npos) return {};
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return {};
  return std::array{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

json object_of(std::string_view part) {
  const auto text = unpadded::decode(part);
  json out = text ? json::parse(*text, nullptr, false) : json();
  return out.is_object() ? out : json();
}

JwtVerdict bad(std::string reason) { return {What::bad, std::move(reason)}; }

std::string text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool names_one_of(const json& aud, const std::vector<std::string>& wanted) {
  const auto is_wanted = [&](const json& one) {
    return one.is_string() &&
           std::find(wanted.begin(), wanted.end(), one.get_ref<const std::string&>()) != wanted.end();
  };
  return aud.is_array() ? std::any_of(aud.begin(), aud.end(), is_wanted) : is_wanted(aud);
}

/// Checks the times and the audience of verified claims. Returns what is wrong, or an empty string.
std::string wrong_with(const json& claims, const JwtRules& rules, std::int64_t now, std::int64_t& expires) {
  const auto time = [&](const char* name, std::optional<std::int64_t>& out) {
    const auto found = claims.find(name);
    if (found == claims.end()) return true;
    out = numeric_date(*found);
    return out.has_value();
  };
  std::optional<std::int64_t> exp, nbf, iat;
  if (!time("exp", exp) || !time("nbf", nbf) || !time("iat", iat)) return "exp, nbf or iat is not a time";
  if (!exp && rules.require_exp) return "it has no exp (jwt.require_exp)";
  if (exp && *exp + rules.leeway_s <= now) return "it has expired";
  if (nbf && *nbf > now + rules.leeway_s) return "it is not valid yet (nbf)";
  if (iat && *iat > now + rules.leeway_s) return "it was issued in the future (iat)";
  if (exp) expires = *exp + rules.leeway_s;
  const auto aud = claims.find("aud");
  if (aud == claims.end()) return rules.audience.empty() ? "" : "it has no aud (jwt.audience)";
  if (!names_one_of(*aud, rules.audience)) return "its aud names another audience (jwt.audience)";
  return {};
}

}  // namespace

bool looks_like_jwt(std::string_view token) {
  const auto parts = parts_of(token);
  return parts && object_of((*parts)[0]).contains("alg");
}

JwtVerdict judge_jwt(const std::string& token, const JwtKeys& keys, const JwtRules& rules, std::int64_t now) {
  const auto parts = parts_of(token);
  if (!parts) return bad("it does not have three parts");
  const auto& [head, body, mac] = *parts;
  const json header = object_of(head), claims = object_of(body);
  const auto signature = unpadded::decode(mac);
  if (header.is_null() || claims.is_null() || !signature) return bad("a part of it can't be decoded");
  const std::string algorithm = text_member(header, "alg"), kid = text_member(header, "kid");
  if (std::find(rules.algorithms.begin(), rules.algorithms.end(), algorithm) == rules.algorithms.end())
    return bad("its algorithm is not allowed (jwt.algorithms)");
  if (header.contains("crit")) return bad("it has critical headers, which are not supported");
  if (!rules.issuer.empty() && text_member(claims, "iss") != rules.issuer)
    return {What::foreign, "it has another issuer (jwt.issuer)"};

  const std::string_view signing_input(token.data(), head.size() + 1 + body.size());
  bool right = false;
  const auto candidates = keys.candidates(algorithm, kid);
  for (const JwtKey* key : candidates) right = right || key->verifies(token, algorithm, signing_input, *signature);
  if (!right) {
    const bool named = !kid.empty() && keys.has(kid);
    return {named ? What::bad : What::unknown_key,
            named || !candidates.empty() ? "its signature is wrong" : "no key fits it"};
  }
  JwtVerdict out{What::good};
  out.reason = wrong_with(claims, rules, now, out.expires);
  if (!out.reason.empty()) return bad(out.reason);
  out.claims = claims;
  return out;
}

}  // namespace nuropb::meshd
