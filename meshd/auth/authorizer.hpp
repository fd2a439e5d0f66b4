#pragma once
// Authenticates clients: one interface for all kinds of credentials.
//
// Authorizers run in meshd only (design.md, rule 2): an edge never holds a key, a secret or an identity that its own
// clients did not send. An authorizer that needs I/O or much computation answers later, from a thread of its own
// (auth_thread_pool.hpp); none may block the ring loop.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"
#include "common/result.hpp"

namespace nuropb::meshd {

/// What meshd keeps of an authenticated client during its session, and attaches to everything that the client sends.
struct Identity {
  std::string user_id;
  std::string username;              ///< empty: shown as null
  std::string token;                 ///< copied into the context under auth.context_token_key; never logged
  std::vector<std::string> roles{};  ///< for the policy
  std::string claims{};              ///< raw JSON object, for the policy and auth.context_claims_key; empty: none
  std::int64_t expires = 0;          ///< Unix time in seconds; 0: never
  std::string authorizer{};          ///< the name of the authorizer that accepted it
  /// When the identity expires by CLOCK_MONOTONIC (to_ring_ms), computed from the remaining time when it was accepted,
  /// so that a step of the wall clock does not change it. 0: never, or not known yet.
  std::uint64_t ends_ms = 0;
};

/// Limit of the roles and claims of one identity, in bytes: they are part of its session's ticket.
inline constexpr std::size_t max_claims = 8 * 1024;
/// Limit of user id and name, in bytes: records::SessionAccepted carries them.
inline constexpr std::size_t max_name = records::max_user_id;

/// The credential that a client sent, and where it was found.
struct Credential {
  records::CredentialKind kind = records::CredentialKind::header;
  std::string token;
  /// The source for fair queueing (fair_queue.hpp): the edge, and an address or user of that edge.
  std::uint64_t worker = 0;
  std::string source{};
  /// Whether the result is still needed; empty: it is.
  std::function<bool()> wanted{};
  std::uint64_t valid_until = 0;  ///< of a client certificate: Unix time of its expiry
  /// Whether this is a bearer token, wherever it was found. Other kinds have their own authorizers.
  [[nodiscard]] bool bearer() const;
};

struct Verdict {
  enum class What : std::uint8_t {
    accepted,
    refused,      ///< this authorizer is responsible, and the credential is invalid: no other is tried
    not_mine,     ///< not for this authorizer: the next one is tried
    unavailable,  ///< cannot be authenticated now: the client may try again
  };
  What what = What::not_mine;
  Identity identity{};  ///< of an accepted credential
  /// For our log, without the token; the client only learns that it was refused.
  std::string reason{};

  [[nodiscard]] bool accepted() const { return what == What::accepted; }
  static Verdict accept(Identity who) { return {What::accepted, std::move(who), {}}; }
  static Verdict refuse(std::string why) { return {What::refused, {}, std::move(why)}; }
  static Verdict pass(std::string why = {}) { return {What::not_mine, {}, std::move(why)}; }
  static Verdict later(std::string why) { return {What::unavailable, {}, std::move(why)}; }
};

/// Counts of keys that verify tokens, over all sources.
struct KeyFigures {
  std::uint64_t used = 0, unusable = 0, not_for_signatures = 0;
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  using Answer = std::function<void(Verdict)>;
  /// Runs work on the ring loop's thread, asynchronously. Any thread.
  using Post = std::function<void(std::function<void()>)>;

  /// The name in auth.authorizers.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Called before the first judge(). Starts threads, if any; `post` delivers late answers.
  virtual void start(const Post& /*post*/) {}
  /// Stops the threads; no answer is delivered afterwards.
  virtual void stop() {}

  /// Authenticates a credential. Calls `answer` exactly once, on the ring loop's thread, immediately or later.
  virtual void judge(const Credential& credential, Answer answer) = 0;

  /// Reloads its files. On an error the previously loaded content stays in force.
  virtual Result<void> reload() { return {}; }
  /// Whether an identity that it accepted earlier is still valid according to its files. Called after a reload, and for
  /// a ticket.
  [[nodiscard]] virtual bool still_good(const Identity& /*identity*/) const { return true; }
  /// For metrics; called on the ring loop's thread.
  [[nodiscard]] virtual KeyFigures key_figures() const { return {}; }
};

/// Unix time in seconds, replaceable so that tests can advance it.
using WallClock = std::function<std::int64_t()>;
std::int64_t unix_now();

}  // namespace nuropb::meshd
