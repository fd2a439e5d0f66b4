#pragma once
// Tokens from a file that assigns each to a user (docs/tasks/tokens.md):
//
//   [tokens."a-long-random-text"]
//   user_id = "ann"
//   username = "Ann"
//   roles = ["clerk"]                 # for the policy (docs/tasks/policy.md)
//   claims = { tenant = "acme" }

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

class StaticTokens final : public Authorizer {
 public:
  /// An error names file, line and what is wrong, never the token.
  static Result<StaticTokens> load(const std::string& file);
  static Result<StaticTokens> parse(std::string_view toml, const std::string& name);

  [[nodiscard]] std::string_view name() const override { return "tokens"; }
  void judge(const Credential& credential, Answer answer) override;
  Result<void> reload() override;
  /// Whether the token is still in the file, for the same user.
  [[nodiscard]] bool still_good(const Identity& identity) const override;
  [[nodiscard]] std::size_t size() const { return users_.size(); }

 private:
  using Digest = std::array<std::uint8_t, 32>;
  static Digest digest(std::string_view token);

  std::string file_;
  // Keyed by SHA-256: the timing of comparisons of digests does not help to guess a token, and the tokens themselves do
  // not stay in memory.
  std::map<Digest, Identity> users_;  // without their tokens
};

}  // namespace nuropb::meshd
