#pragma once
// The authorizer "client_certificate": the user is the name in the certificate that the edge's TLS has verified
// (docs/tasks/authorization.md says which name), until the certificate expires. It relies on the edge: a compromised
// edge could claim any name, so it must be enabled explicitly.

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
    // An expiry beyond the bound of all times means never.
    if (credential.valid_until < static_cast<std::uint64_t>(far_future))
      identity.expires = static_cast<std::int64_t>(credential.valid_until);
    answer(Verdict::accept(std::move(identity)));
  }
};

}  // namespace nuropb::meshd
