#pragma once
// Verifies one JSON Web Token (RFC 7519, 7515, 8725). Pure: the result depends on text, keys, rules and time only.
//
//   shape ─► allowed algorithm ─► issuer ─► keys that fit ─► signature ─► exp, nbf, iat, aud
//
// No content of a token is trusted before its signature is verified. Exceptions are alg and kid, which select the keys,
// and the issuer, which only determines whether another authorizer should be tried.

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
    foreign,      ///< from another issuer
    unknown_key,  ///< invalid with these keys, but a newer key set may contain the key
  };
  What what = What::bad;
  std::string reason{};
  nlohmann::json claims{};   ///< of a valid token
  std::int64_t expires = 0;  ///< exp plus the leeway; 0: never
};

/// True for three parts of which the first is a JOSE header with an alg, which opaque tokens never have.
bool looks_like_jwt(std::string_view token);

JwtVerdict judge_jwt(const std::string& token, const JwtKeys& keys, const JwtRules& rules, std::int64_t now);

}  // namespace nuropb::meshd
