#include "meshd/auth/make_authorizers.hpp"

#include <gtest/gtest.h>

namespace nuropb::meshd {
namespace {

TEST(MakeAuthorizers, NamesWhatIsMissing) {
  const std::pair<const char*, const char*> rows[] = {
      {"tokens", "auth.token_file"},
      {"jwt", "jwt.key_file"},
      {"introspection", "introspection.url"},
      {"mesh", "auth.mesh_service"},
      {"session_cookie", "auth.session_cookie"},
      {"magic", "is no authorizer"},
  };
  for (const auto& [name, part] : rows) {
    Config config;
    config.auth.authorizers = {name};
    const auto made = make_authorizers(config);
    ASSERT_FALSE(made) << name;
    EXPECT_NE(made.error().text().find(part), std::string::npos) << made.error().text();
  }
}

TEST(MakeAuthorizers, NamesTheUrlThatIsWrong) {
  Config config;
  config.auth.authorizers = {"jwt"};
  config.jwt.jwks_url = "https://issuer.test:x/keys";
  const auto made = make_authorizers(config);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text().find("jwt.jwks_url"), std::string::npos) << made.error().text();
}

TEST(MakeAuthorizers, TheMeshsOneIsKnownToTheEventLoop) {
  Config config;
  config.auth.authorizers = {"mesh", "client_certificate"};
  config.auth.mesh_service = "users";
  const auto made = make_authorizers(config);
  ASSERT_TRUE(made) << made.error().text();
  ASSERT_NE(made->mesh, nullptr);
  std::optional<Verdict> verdict;
  made->chain->judge({records::CredentialKind::client_certificate, "CN=ann"},
                     [&](Verdict v) { verdict = std::move(v); });
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->identity.user_id, "CN=ann");
  EXPECT_EQ(verdict->identity.authorizer, "client_certificate");
  made->chain->judge({records::CredentialKind::client_certificate, ""}, [&](Verdict v) { verdict = std::move(v); });
  EXPECT_EQ(verdict->what, Verdict::What::refused);
  made->chain->judge({records::CredentialKind::none, ""}, [&](Verdict v) { verdict = std::move(v); });
  EXPECT_EQ(verdict->what, Verdict::What::refused);
  made->chain->judge({records::CredentialKind::header, "t"}, [&](Verdict v) { verdict = std::move(v); });
  EXPECT_EQ(verdict->what, Verdict::What::unavailable) << "there is no mesh yet";
}

}  // namespace
}  // namespace nuropb::meshd
