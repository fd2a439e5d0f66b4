#pragma once
// The authorizer "jwt": JSON Web Tokens with keys from files and from a URL.
//
//   ring loop ── looks like one ──► verifying thread ── good, bad ──────────────────► ring loop
//                                        │      ▲
//                              no key fits ▼      │ again, once
//                                      fetching thread (RemoteKeys)
//
// Verifying and fetching have a thread each, so that an unavailable issuer delays only tokens with unknown keys; these
// are then not refused but reported as unavailable.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/claims.hpp"
#include "meshd/auth/auth_thread_pool.hpp"
#include "meshd/auth/jwt.hpp"
#include "meshd/auth/remote_keys.hpp"

namespace nuropb::meshd {

class JwtAuthorizer final : public Authorizer {
 public:
  struct Settings {
    JwtRules rules;
    ClaimNames names;
    std::string key_file, secret_file, jwks_file;  ///< empty: none
    std::optional<RemoteKeys::Settings> remote;
    std::size_t queued = 1000;
    WallClock clock = unix_now;
  };
  /// An error names the file and what is wrong with it, or reports that no source of keys is configured.
  static Result<std::unique_ptr<JwtAuthorizer>> make(Settings settings);
  ~JwtAuthorizer() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "jwt"; }
  void start(const Post& post) override;
  void stop() override;
  void judge(const Credential& credential, Answer answer) override;
  Result<void> reload() override;
  [[nodiscard]] KeyFigures key_figures() const override;

 private:
  struct Job;
  explicit JwtAuthorizer(Settings settings);
  static Result<JwtKeys> load(const Settings& settings);
  void take(JwtKeys&& from_files);
  void verify(const std::shared_ptr<Job>& job);
  void fetch_for(const std::shared_ptr<Job>& job);
  void refresh_if_stale();
  void answer(const std::shared_ptr<Job>& job, Verdict verdict);

  Settings settings_;
  std::optional<RemoteKeys> remote_;
  mutable std::mutex mutex_;
  std::shared_ptr<const JwtKeys> files_;  // guarded by mutex_
  std::atomic<bool> refreshing_{false};
  SystemClock steady_;
  Post post_;
  AuthThreadPool verifying_, fetching_;  // last, because they use all of the above
};

}  // namespace nuropb::meshd
