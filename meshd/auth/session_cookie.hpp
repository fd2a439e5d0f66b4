#pragma once
// The signed session cookie of nuropb-gw (nuropb-wire.md section 2), which is Tornado's signed value, version 2:
//
//   2|1:0|10:1763632800|7:session|228:eyJ1c2VyX2lkIjog…|914ea0b2…
//     key   timestamp    name      value in base64        HMAC-SHA256 over all before it, in hex
//
// The value is JSON: user_id, username, bearer_token. Tornado rotates secrets by the key's number; here a signature
// with any secret in the file is accepted.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

struct SignedValue {
  std::string value;
  std::int64_t timestamp = 0;  ///< when it was signed, Unix time
};
/// Verifies and decodes any text. Empty if it is not a value of this name signed with one of these secrets. Pure;
/// signatures are compared in constant time.
std::optional<SignedValue> open_signed_value(std::string_view text, std::string_view name,
                                             const std::vector<std::string>& secrets);

class SessionCookie final : public Authorizer {
 public:
  struct Settings {
    std::string name;         ///< name of the cookie, which is part of the signed text
    std::string secret_file;  ///< one secret per line
    std::int64_t max_age_s = 31 * 86'400;
    WallClock clock = unix_now;
  };
  static Result<std::unique_ptr<SessionCookie>> make(Settings settings);

  [[nodiscard]] std::string_view name() const override { return "session_cookie"; }
  void judge(const Credential& credential, Answer answer) override;
  Result<void> reload() override;

 private:
  explicit SessionCookie(Settings settings) : settings_(std::move(settings)) {}
  [[nodiscard]] Verdict verdict(const std::string& cookie) const;
  Settings settings_;
  std::vector<std::string> secrets_;
};

}  // namespace nuropb::meshd
