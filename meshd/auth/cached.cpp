#include "meshd/auth/cached.hpp"

#include <openssl/sha.h>

#include <algorithm>

namespace nuropb::meshd {

const Verdict* CachedAuthorizer::Shelf::find(const Digest& digest, std::int64_t now) {
  const auto found = entries.find(digest);
  if (found == entries.end()) return nullptr;
  if (now < found->second.until) return &found->second.verdict;
  ages.erase(found->second.age);
  entries.erase(found);
  return nullptr;
}

void CachedAuthorizer::Shelf::put(const Digest& digest, Verdict verdict, std::int64_t until, std::size_t bound) {
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
  const std::int64_t now = settings_.clock();
  for (Shelf* const shelf : {&good_, &bad_}) {
    if (const Verdict* const known = shelf->find(digest, now)) {
      Verdict verdict = *known;
      if (verdict.accepted()) verdict.identity.token = credential.token;
      return answer(std::move(verdict));
    }
  }
  if (waiting_ >= settings_.asked) return answer(Verdict::later("too many tokens are being asked about (auth.queued)"));
  ++waiting_;
  auto [place, first] = asked_.try_emplace(digest);
  place->second.answers.push_back(std::move(answer));
  if (!first) return;
  place->second.epoch = epoch_;
  inner_->judge(credential,
                [this, digest, epoch = epoch_](const Verdict& verdict) { answered(digest, verdict, epoch); });
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
