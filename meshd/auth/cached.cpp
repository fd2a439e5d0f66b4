#include "meshd/auth/cached.hpp"

#include <openssl/sha.h>

#include <algorithm>

#include "meshd/clock_steps.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::string_view too_many = "too many tokens are waiting to be checked (auth.queued)";

}  // namespace

const Verdict* CachedAuthorizer::Shelf::find(const Digest& digest, std::int64_t wall, SteadyTime now) {
  const auto found = entries.find(digest);
  if (found == entries.end()) return nullptr;
  const std::int64_t expires = found->second.verdict.identity.expires;
  if (now < found->second.until && (expires == 0 || wall < expires)) return &found->second.verdict;
  ages.erase(found->second.age);
  entries.erase(found);
  return nullptr;
}

void CachedAuthorizer::Shelf::put(const Digest& digest, Verdict verdict, SteadyTime until, std::size_t bound) {
  if (entries.size() >= bound) {
    entries.erase(ages.front());
    ages.pop_front();
  }
  ages.push_back(digest);
  entries.insert_or_assign(digest, Entry{std::move(verdict), until, std::prev(ages.end())});
}

void CachedAuthorizer::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer()) return answer(Verdict::pass());
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(credential.token.data()), credential.token.size(), digest.data());
  const std::int64_t wall = settings_.clock();
  const SteadyTime now = settings_.steady_clock();
  for (Shelf* const shelf : {&good_, &bad_}) {
    if (const Verdict* const known = shelf->find(digest, wall, now)) {
      Verdict verdict = *known;
      if (verdict.accepted()) verdict.identity.token = credential.token;
      return answer(std::move(verdict));
    }
  }
  const auto found = asked_.find(digest);
  if (found != asked_.end()) {
    // Further requests for the same token take no place of others, because there is one query for all of them.
    if (found->second.askers.size() >= settings_.asked) return answer(Verdict::later(std::string(too_many)));
    return found->second.askers.push_back({std::move(answer), credential.wanted});
  }
  asked_.emplace(digest, Waiting{credential, {{std::move(answer), credential.wanted}}});
  queue_.push(credential.worker, credential.source, digest);
  while (asked_.size() > settings_.asked) {
    const auto dropped = queue_.drop();
    if (!dropped) break;
    give_up(*dropped, std::string(too_many));
  }
  ask_next();
}

void CachedAuthorizer::ask_next() {
  if (asking_) return;  // the inner authorizer answered immediately
  asking_ = true;
  while (under_way_ < settings_.at_a_time) {
    const auto next = queue_.pop();
    if (!next) break;
    const auto found = asked_.find(*next);
    if (found == asked_.end()) continue;
    const auto& askers = found->second.askers;
    if (std::none_of(askers.begin(), askers.end(),
                     [](const Asker& asker) { return !asker.wanted || asker.wanted(); })) {
      give_up(*next, "the result is no longer needed");
      continue;
    }
    ++under_way_;
    inner_->judge(found->second.credential,
                  [this, digest = *next, epoch = epoch_](const Verdict& verdict) { answered(digest, verdict, epoch); });
  }
  asking_ = false;
}

void CachedAuthorizer::give_up(const Digest& digest, const std::string& why) {
  const auto found = asked_.find(digest);
  if (found == asked_.end()) return;
  const std::vector<Asker> askers = std::move(found->second.askers);
  asked_.erase(found);
  for (const Asker& asker : askers) asker.answer(Verdict::later(why));
}

void CachedAuthorizer::answered(const Digest& digest, const Verdict& verdict, std::uint64_t epoch) {
  --under_way_;
  if (const auto found = asked_.find(digest); found != asked_.end()) {
    const std::vector<Asker> askers = std::move(found->second.askers);
    asked_.erase(found);
    if (epoch == epoch_) remember(digest, verdict);
    for (const Asker& asker : askers) asker.answer(verdict);
  }
  ask_next();
}

void CachedAuthorizer::remember(const Digest& digest, Verdict verdict) {
  if (verdict.what == Verdict::What::unavailable) return;
  const SteadyTime now = settings_.steady_clock();
  SteadyTime until = now + std::chrono::seconds(verdict.accepted() ? settings_.good_s : settings_.bad_s);
  if (verdict.accepted() && verdict.identity.expires != 0) {
    const SteadyTime end = steady_end(verdict.identity.expires, {settings_.clock() * 1000, now});
    verdict.identity.ends_ms = to_ring_ms(end);
    until = std::min(until, end);
  }
  if (until <= now) return;
  verdict.identity.token.clear();
  Shelf& shelf = verdict.accepted() ? good_ : bad_;
  shelf.put(digest, std::move(verdict), until, settings_.entries);
}

Result<void> CachedAuthorizer::reload() {
  ++epoch_;
  good_ = {};
  bad_ = {};
  return inner_->reload();
}

}  // namespace nuropb::meshd
