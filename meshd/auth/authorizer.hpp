#pragma once
// Who a consumer is: the judgement over a credential, behind one interface.
//
// Authorizers run in meshd only (design.md, rule 2): no edge ever holds a key, a secret or an identity that
// its own consumers did not bring. One that needs I/O or much arithmetic answers later, from a thread of its own
// (judging_threads.hpp); none may block the ring loop.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/records.hpp"
#include "common/result.hpp"

namespace nuropb::meshd {

/// What meshd keeps of a consumer for as long as its session lives, and stamps on everything that it sends.
struct Identity {
  std::string user_id;
  std::string username;              ///< empty: shown as null
  std::string token;                 ///< goes into the context where auth.context_token_key says so; never logged
  std::vector<std::string> roles{};  ///< for the policy
  std::string claims{};              ///< raw JSON object, for the policy and auth.context_claims_key; empty: none
  std::int64_t expires = 0;          ///< Unix time in seconds; 0: never
  std::string authorizer{};          ///< the name of the one that said so
  /// When it ends by CLOCK_MONOTONIC (to_ring_ms), from the time that was left when it was accepted: a step of the wall
  /// clock does not change it. 0: never, or not known yet.
  std::uint64_t ends_ms = 0;
};

/// Roles and claims of one identity, in bytes: they travel in its session's ticket.
inline constexpr std::size_t max_claims = 8 * 1024;
/// User id and name, in bytes: records::SessionAccepted carries them.
inline constexpr std::size_t max_name = records::max_user_id;

/// What a consumer showed, and where.
struct Credential {
  records::CredentialKind kind = records::CredentialKind::header;
  std::string token;
  /// Where it comes from, for those who ask one after the other (fair_queue.hpp): the edge, and an address or user there.
  std::uint64_t worker = 0;
  std::string source{};
  /// Whether somebody still waits for the verdict; nothing: yes.
  std::function<bool()> wanted{};
  std::uint64_t valid_until = 0;  ///< of a client certificate: its end in Unix time
  /// A bearer token, wherever it stood; the other kinds have judges of their own.
  [[nodiscard]] bool bearer() const;
};

struct Verdict {
  enum class What : std::uint8_t {
    accepted,
    refused,      ///< it is for this authorizer to judge, and bad: nobody else is asked
    not_mine,     ///< the next authorizer may know it
    unavailable,  ///< can't be judged now: the consumer may come again
  };
  What what = What::not_mine;
  Identity identity{};   ///< where it was accepted
  std::string reason{};  ///< for our log, without the token; the consumer only learns that it was refused

  [[nodiscard]] bool accepted() const { return what == What::accepted; }
  static Verdict accept(Identity who) { return {What::accepted, std::move(who), {}}; }
  static Verdict refuse(std::string why) { return {What::refused, {}, std::move(why)}; }
  static Verdict pass(std::string why = {}) { return {What::not_mine, {}, std::move(why)}; }
  static Verdict later(std::string why) { return {What::unavailable, {}, std::move(why)}; }
};

/// Keys that verify tokens, of all sources.
struct KeyFigures {
  std::uint64_t used = 0, unusable = 0, not_for_signatures = 0;
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  using Answer = std::function<void(Verdict)>;
  /// Runs work on the ring loop's thread, soon. Any thread.
  using Post = std::function<void(std::function<void()>)>;

  /// As in auth.authorizers.
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Before the first judge(): where late answers go. Starts what threads there are.
  virtual void start(const Post& /*post*/) {}
  /// Ends them; no answer comes after it.
  virtual void stop() {}

  /// Calls `answer` once, on the ring loop's thread, at once or later.
  virtual void judge(const Credential& credential, Answer answer) = 0;

  /// Reads its files again. On an error what was loaded before stays in force.
  virtual Result<void> reload() { return {}; }
  /// Whether an identity that it once gave still holds, as far as its files say. Asked after a reload, and for a ticket.
  [[nodiscard]] virtual bool still_good(const Identity& /*identity*/) const { return true; }
  /// For metrics; the ring loop's thread.
  [[nodiscard]] virtual KeyFigures key_figures() const { return {}; }
};

/// Unix time in seconds; behind an interface so that tests can step it.
using WallClock = std::function<std::int64_t()>;
std::int64_t unix_now();

}  // namespace nuropb::meshd
