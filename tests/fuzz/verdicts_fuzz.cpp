// Responses of an authorization server and of a mesh service about a token.
#include "meshd/auth/introspection.hpp"
#include "meshd/auth/mesh_authorizer.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  const auto check = [](const Verdict& verdict) {
    if (verdict.accepted())
      fuzz::must(!verdict.identity.user_id.empty() && verdict.identity.user_id.size() <= meshd::max_name &&
                     verdict.identity.claims.size() <= max_claims,
                 "an identity fits its ticket");
    else fuzz::must(!verdict.reason.empty(), "anything else has a reason");
  };
  check(judge_introspection(200, text, {"sub", "username", "scope", {}}, 1'800'000'000));
  const auto line = text.find('\n');
  check(judge_mesh_answer(text.substr(0, line), line == std::string_view::npos ? "null" : text.substr(line + 1)));
  return 0;
}
