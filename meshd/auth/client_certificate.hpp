#pragma once
// The authorizer "client_certificate": the user is whom the certificate names that the edge's TLS has verified
// (docs/tasks/authorization.md says which name), until the certificate ends. It believes the edge: an edge that was taken over could name anybody,
// which is why the config has to ask for it.

#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/claims.hpp"

namespace nuropb::meshd {

class ClientCertificate final : public Authorizer {
 public:
  [[nodiscard]] std::string_view name() const override { return "client_certificate"; }
  void judge(const Credential& credential, Answer answer) override {
    if (credential.kind != records::CredentialKind::client_certificate) return answer(Verdict::pass());
    if (credential.token.empty() || credential.token.size() > max_name)
      return answer(Verdict::refuse("the certificate's name is empty or longer than 1024 bytes"));
    Identity identity;
    identity.user_id = credential.token;
    // One that ends beyond what other times are bounded to ends never.
    if (credential.valid_until < static_cast<std::uint64_t>(far_future))
      identity.expires = static_cast<std::int64_t>(credential.valid_until);
    answer(Verdict::accept(std::move(identity)));
  }
};

}  // namespace nuropb::meshd
