#include "meshd/auth/remote_keys.hpp"

#include <algorithm>

#include "common/log.hpp"

namespace nuropb::meshd {
namespace {

constexpr milliseconds longest_pause{300'000};

}  // namespace

void say_skipped(const SkippedKeys& now, const SkippedKeys& before, const std::string& where) {
  if (now.named.empty() || now == before) return;
  // Encryption keys of an issuer are normal, so there is nothing for an operator to do.
  if (now.unusable == 0)
    return log::info("keys of a set are not for signatures", {{"set", where}, {"keys", now.text()}});
  log::warning("keys of a key set are skipped, because they can't be used",
               {{"set", where}, {"keys", now.text()}, {"hint", "tokens that were signed with them are refused"}});
}

Result<JwtKeys> RemoteKeys::fetch() {
  const std::string where = settings_.client.url.redacted();
  const auto answer = client_.send({"GET", "", "", {}}, settings_.timeout);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status != 200) return failure("answered with status " + std::to_string(answer->status), where);
  return JwtKeys::from_jwks(answer->body, where, false);
}

bool RemoteKeys::refresh(SteadyTime older_than, SteadyTime now) {
  {
    const std::lock_guard lock(mutex_);
    if (fetched_ && *fetched_ >= older_than) return true;
    if (now < next_) return false;
  }
  auto fresh = fetch();
  const std::lock_guard lock(mutex_);
  if (!fresh) {
    const auto pause = std::min<milliseconds>(settings_.retry * (1U << std::min(failures_, 10U)),
                                              std::max(longest_pause, settings_.retry));
    ++failures_;
    next_ = now + pause;
    log::warning("key set not fetched, the last good one stays in force",
                 {{"reason", fresh.error().text()}, {"keys", keys_->size()}, {"again_in_s", pause.count() / 1000}});
    return false;
  }
  say_skipped(fresh->skipped(), keys_->skipped(), settings_.client.url.redacted());
  keys_ = std::make_shared<const JwtKeys>(std::move(*fresh));
  fetched_ = now;
  next_ = now + settings_.retry;
  failures_ = 0;
  log::info("key set fetched", {{"url", settings_.client.url.redacted()}, {"keys", keys_->size()}});
  return true;
}

std::shared_ptr<const JwtKeys> RemoteKeys::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

bool RemoteKeys::stale(SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  return now >= next_ && (!fetched_ || now - *fetched_ >= settings_.refresh);
}

}  // namespace nuropb::meshd
