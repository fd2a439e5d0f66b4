#include "meshd/auth/chain.hpp"

#include "common/text_file.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_revoked_bytes = 16U << 20;

Result<std::set<std::string, std::less<>>> read_revoked(const std::string& file) {
  const auto text = read_text_file(file, max_revoked_bytes);
  if (!text) return failure(text.error().what, text.error().where, "auth.revoked_file names it");
  std::set<std::string, std::less<>> out;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') out.emplace(line);
  }
  return out;
}

}  // namespace

struct AuthorizerChain::Case {
  Credential credential;
  Answer answer;
  std::size_t next = 0;
  std::string reasons;  ///< of the authorizers that did not recognize it
};

AuthorizerChain::AuthorizerChain(std::vector<std::unique_ptr<Authorizer>> authorizers, WallClock clock)
    : authorizers_(std::move(authorizers)), clock_(std::move(clock)) {}

Result<void> AuthorizerChain::load_revoked(const std::string& file) {
  auto users = read_revoked(file);
  if (!users) return tl::unexpected(users.error());
  revoked_file_ = file;
  revoked_ = std::move(*users);
  return {};
}

void AuthorizerChain::start(const Post& post) {
  for (const auto& authorizer : authorizers_) authorizer->start(post);
}
void AuthorizerChain::stop() {
  for (const auto& authorizer : authorizers_) authorizer->stop();
}

void AuthorizerChain::judge(const Credential& credential, Answer answer) {
  ask(std::make_shared<Case>(Case{credential, std::move(answer), 0, {}}));
}

void AuthorizerChain::ask(std::shared_ptr<Case> at_hand) {
  if (at_hand->next == authorizers_.size()) {
    return at_hand->answer(Verdict::refuse(at_hand->reasons.empty() ? "no authorizer knows it" : at_hand->reasons));
  }
  Authorizer& authorizer = *authorizers_[at_hand->next];
  authorizer.judge(at_hand->credential, [this, at_hand](Verdict verdict) { decide(at_hand, std::move(verdict)); });
}

void AuthorizerChain::decide(const std::shared_ptr<Case>& at_hand, Verdict verdict) {
  const std::string who(authorizers_[at_hand->next]->name());
  if (verdict.what == Verdict::What::not_mine) {
    if (!verdict.reason.empty())
      at_hand->reasons += (at_hand->reasons.empty() ? "" : "; ") + who + ": " + verdict.reason;
    ++at_hand->next;
    return ask(at_hand);
  }
  if (verdict.accepted()) {
    verdict.identity.authorizer = who;
    if (revoked_.contains(verdict.identity.user_id))
      verdict = Verdict::refuse("the user is revoked (auth.revoked_file)");
    else if (verdict.identity.expires != 0 && verdict.identity.expires <= clock_())
      verdict = Verdict::refuse(who + ": it has expired");
  } else {
    verdict.reason = who + ": " + verdict.reason;
  }
  at_hand->answer(std::move(verdict));
}

Result<void> AuthorizerChain::reload() {
  std::string wrong;
  const auto note = [&](const Error& error) { wrong += (wrong.empty() ? "" : "; ") + error.text(); };
  for (const auto& authorizer : authorizers_) {
    if (const auto done = authorizer->reload(); !done) note(done.error());
  }
  if (!revoked_file_.empty()) {
    if (auto users = read_revoked(revoked_file_)) revoked_ = std::move(*users);
    else note(users.error());
  }
  if (!wrong.empty()) return failure(wrong);
  return {};
}

KeyFigures AuthorizerChain::key_figures() const {
  KeyFigures out;
  for (const auto& authorizer : authorizers_) {
    const KeyFigures one = authorizer->key_figures();
    out.used += one.used;
    out.unusable += one.unusable;
    out.not_for_signatures += one.not_for_signatures;
  }
  return out;
}

bool AuthorizerChain::still_good(const Identity& identity) const {
  if (identity.user_id.empty() && identity.authorizer.empty()) return true;  // anonymous: no authorizer was involved
  if (revoked_.contains(identity.user_id)) return false;
  for (const auto& authorizer : authorizers_) {
    if (authorizer->name() == identity.authorizer) return authorizer->still_good(identity);
  }
  return false;  // that authorizer is no longer configured
}

}  // namespace nuropb::meshd
