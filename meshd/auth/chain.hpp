#pragma once
// The authorizers of the config, in its order:
//
//   credential ──► first ── not mine ──► second ── not mine ──► … ──► nobody's: refused
//                    │ accepted, refused, unavailable: that is the verdict
//
// One that can't judge now ends it too: what it would have refused must not be accepted by the next.
// Users of auth.revoked_file are refused whoever knows them. The ring loop's thread only.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "meshd/auth/authorizer.hpp"

namespace nuropb::meshd {

class AuthorizerChain final : public Authorizer {
 public:
  explicit AuthorizerChain(std::vector<std::unique_ptr<Authorizer>> authorizers, WallClock clock = unix_now);

  /// From auth.revoked_file: a user id a line; empty lines and those that begin with # don't count.
  Result<void> load_revoked(const std::string& file);

  [[nodiscard]] std::string_view name() const override { return "chain"; }
  void start(const Post& post) override;
  void stop() override;
  /// The verdict is never `not_mine`, and an accepted identity has not expired yet.
  void judge(const Credential& credential, Answer answer) override;
  /// Of all; the errors of all that failed.
  Result<void> reload() override;
  [[nodiscard]] bool still_good(const Identity& identity) const override;
  /// Of all.
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
