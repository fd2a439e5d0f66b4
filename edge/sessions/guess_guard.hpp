#pragma once
// Guessing of tokens and keys: which addresses may present another one, and the log of those that may not. Tokens of clients
// and credentials for HTTP (keys of backends, tokens at the console) are counted apart.
//
// Owner thread: the edge's io_context.

#include <cstdint>
#include <string_view>

#include "common/clock.hpp"
#include "common/log_pause.hpp"
#include "edge/sessions/guess_limit.hpp"

namespace nuropb::edge {

class MeshLink;

class GuessGuard {
 public:
  /// `refused_tokens_per_s`: of clients' tokens, for one address; 0: no limit.
  GuessGuard(std::uint32_t refused_tokens_per_s, const Clock& clock, MeshLink& link)
      : tokens_(refused_tokens_per_s, 100 * refused_tokens_per_s), clock_(clock), link_(link) {}

  /// Whether meshd may be asked about a client's token. If not, that is counted and logged.
  [[nodiscard]] bool may_present_token(std::string_view host, std::string_view token) {
    return may_ask(tokens_, host, token, "limits.refused_tokens_per_s");
  }
  void token_accepted(std::string_view host, std::string_view token) { tokens_.accepted(host, token); }

  /// The same for a key or a token that came by HTTP; `what` names it in the log.
  [[nodiscard]] bool may_present_key(std::string_view host, std::string_view key, std::string_view what) {
    return may_ask(keys_, host, key, what);
  }
  /// `status`: what meshd has answered.
  void key_answered(std::string_view host, std::string_view key, int status);

 private:
  bool may_ask(GuessLimit& guesses, std::string_view host, std::string_view secret, std::string_view what);

  GuessLimit tokens_;
  GuessLimit keys_{10, 100};
  const Clock& clock_;
  MeshLink& link_;
  log::Pause pause_{std::chrono::seconds(10)};
};

}  // namespace nuropb::edge
