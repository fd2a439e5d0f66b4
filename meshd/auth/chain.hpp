#pragma once
// The configured authorizers, tried in their order:
//
//   credential ──► first ── not mine ──► second ── not mine ──► … ──► refused
//                    │ accepted, refused, unavailable: that is the result
//
// An unavailable authorizer ends the chain, too: what it would have refused must not be accepted by the next one. Users
// in auth.revoked_file are always refused. The ring loop's thread only.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

class AuthorizerChain final : public Authorizer {
 public:
  explicit AuthorizerChain(std::vector<std::unique_ptr<Authorizer>> authorizers, WallClock clock = unix_now);

  /// Loads auth.revoked_file: one user id per line; empty lines and lines that begin with # are ignored.
  Result<void> load_revoked(const std::string& file);

  [[nodiscard]] std::string_view name() const override { return "chain"; }
  void start(const Post& post) override;
  void stop() override;
  /// The result is never `not_mine`, and an accepted identity has not expired.
  void judge(const Credential& credential, Answer answer) override;
  /// Reloads all authorizers; the error combines those of all that failed.
  Result<void> reload() override;
  [[nodiscard]] bool still_good(const Identity& identity) const override;
  /// The sum over all authorizers.
  [[nodiscard]] KeyFigures key_figures() const override;

 private:
  struct Case;
  void ask(std::shared_ptr<Case> at_hand);
  void decide(const std::shared_ptr<Case>& at_hand, Verdict verdict);

  std::vector<std::unique_ptr<Authorizer>> authorizers_;
  WallClock clock_;
  std::string revoked_file_;
  std::set<std::string, std::less<>> revoked_;
};

}  // namespace nuropb::meshd
