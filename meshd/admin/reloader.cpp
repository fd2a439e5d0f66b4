#include "meshd/admin/reloader.hpp"

#include <utility>

#include "common/log.hpp"

namespace nuropb::meshd {

std::string Reloader::reload() {
  log::reopen();
  std::string wrong;
  const auto note = [&wrong](const Error& error) {
    wrong += (wrong.empty() ? "" : "; ") + error.text();
    return error.text();
  };
  if (const auto done = authorizer_.reload(); done) log::info("tokens reloaded");
  else log::error("tokens not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  if (snorky_.has_keys()) {
    if (const auto done = snorky_.reload(); done) log::info("backend keys reloaded");
    else log::error("backend keys not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  }
  if (peer_keys_) {
    if (const auto done = peer_keys_->reload(); done)
      log::info("keys of gateways reloaded", {{"keys", peer_keys_->size()}});
    else log::error("keys of gateways not reloaded, the former ones stay in force", {{"reason", note(done.error())}});
  }
  if (!config_.auth.policy_file.empty()) {
    if (auto fresh = Policy::load(config_.auth.policy_file)) {
      sessions_.set_policy(std::move(*fresh));
      log::info("policy reloaded", {{"rules", sessions_.policy().size()}});
    } else {
      log::error("policy not reloaded, the former one stays in force", {{"reason", note(fresh.error())}});
    }
  }
  sessions_.reconsider_all();
  workers_.flush();
  return wrong;
}

}  // namespace nuropb::meshd
