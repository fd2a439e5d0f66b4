#include "meshd/auth/cached.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace nuropb::meshd {

void CachedAuthorizer::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer()) return answer(Verdict::pass());
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(credential.token.data()), credential.token.size(), digest.data());
  if (const auto found = entries_.find(digest); found != entries_.end()) {
    if (settings_.clock() < found->second.until) {
      Verdict verdict = found->second.verdict;
      if (verdict.accepted()) verdict.identity.token = credential.token;
      return answer(std::move(verdict));
    }
    ages_.erase(found->second.age);
    entries_.erase(found);
  }
  if (waiting_ >= settings_.asked) return answer(Verdict::later("too many tokens are being asked about (auth.queued)"));
  ++waiting_;
  auto [place, first] = asked_.try_emplace(digest);
  place->second.answers.push_back(std::move(answer));
  if (!first) return;
  place->second.epoch = epoch_;
  inner_->judge(credential, [this, digest, epoch = epoch_](const Verdict& verdict) { answered(digest, verdict, epoch); });
}

void CachedAuthorizer::answered(const Digest& digest, const Verdict& verdict, std::uint64_t epoch) {
  const auto found = asked_.find(digest);
  if (found == asked_.end()) return;
  const std::vector<Answer> answers = std::move(found->second.answers);
  asked_.erase(found);
  waiting_ -= answers.size();
  if (epoch == epoch_) remember(digest, verdict);
  for (const Answer& answer : answers) answer(verdict);
}

void CachedAuthorizer::remember(const Digest& digest, Verdict verdict) {
  if (verdict.what == Verdict::What::unavailable) return;
  const std::int64_t now = settings_.clock();
  std::int64_t until = now + (verdict.accepted() ? settings_.good_s : settings_.bad_s);
  if (verdict.accepted() && verdict.identity.expires != 0) until = std::min(until, verdict.identity.expires);
  if (until <= now) return;
  if (entries_.size() >= settings_.entries) {
    entries_.erase(ages_.front());
    ages_.pop_front();
  }
  verdict.identity.token.clear();
  ages_.push_back(digest);
  entries_.insert_or_assign(digest, Entry{std::move(verdict), until, std::prev(ages_.end())});
}

Result<void> CachedAuthorizer::reload() {
  ++epoch_;
  entries_.clear();
  ages_.clear();
  return inner_->reload();
}

}  // namespace nuropb::meshd
