#pragma once
// The authorizer "introspection": queries the OAuth authorization server that issued the token (RFC 7662).
//
//   POST <url>  Authorization: Basic client_id:client_secret   token=…&token_type_hint=access_token
//   200 {"active":true,"sub":"ann","scope":"read write","exp":1763632800}
//
// `active` false passes the token to the next authorizer: it is unknown to the server or has expired. Any other kind of
// response means unavailable. Used behind a CachedAuthorizer.

#include <memory>
#include <mutex>
#include <vector>

#include "common/clock.hpp"
#include "meshd/auth/authorizer.hpp"
#include "meshd/auth/claims.hpp"
#include "meshd/auth/auth_thread_pool.hpp"
#include "meshd/http/client.hpp"

namespace nuropb::meshd {

/// Interprets a response; pure.
Verdict judge_introspection(unsigned status, std::string_view body, const ClaimNames& names, std::int64_t now);

class Introspection final : public Authorizer {
 public:
  struct Settings {
    http::Client::Settings server;
    milliseconds timeout{3000};
    std::size_t threads = 4;
    std::size_t queued = 1000;
    std::string client_id, client_secret_file;  ///< empty id: no credentials are sent
    ClaimNames names;
    WallClock clock = unix_now;
  };
  static Result<std::unique_ptr<Introspection>> make(Settings settings);
  ~Introspection() override { stop(); }

  [[nodiscard]] std::string_view name() const override { return "introspection"; }
  void start(const Post& post) override;
  void stop() override;
  void judge(const Credential& credential, Answer answer) override;
  Result<void> reload() override;

 private:
  explicit Introspection(Settings settings);
  Verdict ask(http::Client& client, const std::string& token);
  Settings settings_;
  std::mutex mutex_;
  std::string authorization_;                           // value of the Authorization header; guarded by mutex_
  std::vector<std::unique_ptr<http::Client>> clients_;  // one per thread
  Post post_;
  AuthThreadPool threads_;  // last, because its threads use all of the above
};

}  // namespace nuropb::meshd
