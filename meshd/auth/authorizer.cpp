#include "meshd/auth/authorizer.hpp"

#include <chrono>

namespace nuropb::meshd {

bool Credential::bearer() const {
  using records::CredentialKind;
  switch (kind) {
    case CredentialKind::header:
    case CredentialKind::cookie:
    case CredentialKind::subprotocol:
    case CredentialKind::message:
    case CredentialKind::query: return true;
    default: return false;
  }
}

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace nuropb::meshd
