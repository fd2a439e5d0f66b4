#include "meshd/auth/claims.hpp"
#include "meshd/auth/jwt.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

namespace {

// A key set as an issuer publishes it; the private parts are unknown.
constexpr std::string_view key_set = R"({"keys":[
{"kty":"EC","crv":"P-256","kid":"p256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
{"kty":"OKP","crv":"Ed25519","kid":"ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
{"kty":"oct","kid":"secret","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]})";

}  // namespace

// The first line selects: "keys" is a key set, "pem" a file of keys; anything else is a token.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  if (text.starts_with("keys\n") || text.starts_with("pem\n")) {
    const auto rest = text.substr(text.find('\n') + 1);
    const auto keys =
        text.starts_with("pem") ? JwtKeys::from_pem(rest, "fuzz.pem") : JwtKeys::from_jwks(rest, "fuzz.json", true);
    if (keys) fuzz::must(keys->size() <= max_jwt_keys, "as many keys as may be");
    else fuzz::must(keys.error().text().find("fuzz.") != std::string::npos, "a refusal names the file");
    return 0;
  }
  static const JwtKeys keys = std::move(*JwtKeys::from_jwks(key_set, "keys", true));
  static const JwtRules rules{{"ES256", "EdDSA", "HS256", "HS384", "HS512"}, "", {"gateway"}, 0, false};
  const std::string token(text);
  const auto verdict = judge_jwt(token, keys, rules, 1'800'000'000);
  if (verdict.what == JwtVerdict::What::good) {
    fuzz::must(looks_like_jwt(token), "what is good looks like one");
    if (const auto identity = identity_of(verdict.claims, {}))
      fuzz::must(!identity->user_id.empty() && identity->claims.size() <= max_claims, "an identity fits its ticket");
  } else {
    fuzz::must(!verdict.reason.empty(), "a refusal has a reason");
  }
  return 0;
}
