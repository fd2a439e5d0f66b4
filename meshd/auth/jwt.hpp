#pragma once
// The judgement over one JSON Web Token (RFC 7519, 7515, 8725): pure, from text, keys, rules and the time to a verdict.
//
//   shape ─► allowed algorithm ─► issuer ─► keys that fit ─► signature ─► exp, nbf, iat, aud
//
// Nothing in a token is believed before its signature is right but the two members that choose keys, alg and kid, and
// the issuer, which only tells whether another authorizer should be asked.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/auth/jwt_keys.hpp"

namespace nuropb::meshd {

struct JwtRules {
  std::vector<std::string> algorithms;
  std::string issuer;                 ///< empty: any
  std::vector<std::string> audience;  ///< empty: a token with an aud is refused
  std::int64_t leeway_s = 0;
  bool require_exp = true;
};

struct JwtVerdict {
  enum class What : std::uint8_t {
    good,
    bad,
    foreign,      ///< of another issuer
    unknown_key,  ///< bad, but a newer set of keys might say otherwise
  };
  What what = What::bad;
  std::string reason{};
  nlohmann::json claims{};   ///< where it is good
  std::int64_t expires = 0;  ///< exp and the leeway; 0: never
};

/// True for three parts whose first is a JOSE header with an alg: what no opaque token looks like.
bool looks_like_jwt(std::string_view token);

JwtVerdict judge_jwt(const std::string& token, const JwtKeys& keys, const JwtRules& rules, std::int64_t now);

}  // namespace nuropb::meshd
