#pragma once
// Who a consumer is: the judgement over a token, behind one interface.
//
// Authorizers run in meshd only (design: *Identity is sealed*): no edge ever holds a key, a secret or an identity that
// its own consumers did not bring. An authorizer that needs I/O answers later; it must not block the ring loop.

#include <functional>
#include <string>
#include <vector>

#include "common/result.hpp"

namespace nuropb::meshd {

/// What meshd keeps of a consumer for as long as its session lives, and stamps on everything that it sends.
struct Identity {
  std::string user_id;
  std::string username;  ///< empty: shown as null
  std::string token;     ///< goes into the context where auth.context_token_key says so; never logged
  std::vector<std::string> roles{};  ///< for the policy
  std::string claims{};  ///< raw JSON object, for the policy and auth.context_claims_key; empty: none
};

/// Roles and claims of one identity, in bytes: they travel in its session's ticket.
inline constexpr std::size_t max_claims = 8 * 1024;

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  using Verdict = Result<Identity>;  ///< an error's `what` is for our log; the consumer only learns that it was refused
  using Answer = std::function<void(Verdict)>;

  /// Calls `answer` once, on the ring loop's thread, at once or later.
  virtual void judge(const std::string& token, Answer answer) = 0;

  /// Reads its files again. On an error what was loaded before stays in force.
  virtual Result<void> reload() { return {}; }
};

}  // namespace nuropb::meshd
