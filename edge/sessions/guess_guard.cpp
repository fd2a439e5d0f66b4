#include "edge/sessions/guess_guard.hpp"

#include "common/log.hpp"
#include "edge/link/mesh_link.hpp"

namespace nuropb::edge {

bool GuessGuard::may_ask(GuessLimit& guesses, std::string_view host, std::string_view secret, std::string_view what) {
  const SteadyTime now = clock_.now();
  if (secret.empty() || guesses.may_ask(host, secret, now)) return true;
  link_.count(shm::EdgeCounter::over_refused_tokens);
  if (const auto left_out = pause_.due(now))
    log::warning("an address is held back: it has shown too much that was refused",
                 {{"address", host}, {"reason", what}, {"left_out", *left_out}});
  return false;
}

void GuessGuard::key_answered(std::string_view host, std::string_view key, int status) {
  if (key.empty()) return;
  // 403 and 404 mean that the credential is known, too.
  if (status < 300 || status == 403 || status == 404) return keys_.accepted(host, key);
  if (status != 401) return;
  if (const auto left_out = pause_.due(clock_.now()))
    log::warning("a backend's key, or a token at the console, was refused",
                 {{"address", host}, {"left_out", *left_out}});
}

}  // namespace nuropb::edge
