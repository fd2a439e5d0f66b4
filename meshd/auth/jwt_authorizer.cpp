#include "meshd/auth/jwt_authorizer.hpp"

#include "common/text_file.hpp"

namespace nuropb::meshd {

struct JwtAuthorizer::Job {
  std::string token;
  Answer answer;
  SteadyTime arrived;
  bool fetched = false;  ///< the key set was fetched because of this token
  bool fresh = false;    ///< and is newer than the token's arrival
};

JwtAuthorizer::JwtAuthorizer(Settings settings)
    : settings_(std::move(settings)), verifying_(1, settings_.queued), fetching_(1, settings_.queued) {
  if (settings_.remote) remote_.emplace(*settings_.remote);
}

Result<JwtKeys> JwtAuthorizer::load(const Settings& settings) {
  JwtKeys all;
  const auto take = [&](const std::string& file, const char* key, auto&& parse) -> Result<void> {
    if (file.empty()) return {};
    const auto text = read_text_file(file, max_jwks_bytes);
    if (!text) return failure(text.error().what, text.error().where, std::string(key) + " names it");
    auto keys = parse(*text, file);
    if (!keys)
      return failure(keys.error().what, keys.error().where,
                     keys.error().hint.empty() ? std::string(key) + " names it" : keys.error().hint);
    return all.add(std::move(*keys), file);
  };
  if (auto ok = take(settings.key_file, "jwt.key_file", JwtKeys::from_pem); !ok) return tl::unexpected(ok.error());
  if (auto ok = take(settings.secret_file, "jwt.secret_file", JwtKeys::from_secrets); !ok)
    return tl::unexpected(ok.error());
  if (auto ok =
          take(settings.jwks_file, "jwt.jwks_file",
               [](const std::string& text, const std::string& file) { return JwtKeys::from_jwks(text, file, true); });
      !ok)
    return tl::unexpected(ok.error());
  return all;
}

Result<std::unique_ptr<JwtAuthorizer>> JwtAuthorizer::make(Settings settings) {
  if (settings.key_file.empty() && settings.secret_file.empty() && settings.jwks_file.empty() && !settings.remote) {
    return failure("the authorizer \"jwt\" has no keys", "",
                   "set jwt.key_file, jwt.secret_file, jwt.jwks_file or jwt.jwks_url");
  }
  auto keys = load(settings);
  if (!keys) return tl::unexpected(keys.error());
  std::unique_ptr<JwtAuthorizer> out(new JwtAuthorizer(std::move(settings)));
  out->take(std::move(*keys));
  return out;
}

void JwtAuthorizer::start(const Post& post) {
  post_ = post;
  verifying_.start();
  if (!remote_) return;
  fetching_.start();
  refresh_if_stale();
}

void JwtAuthorizer::stop() {
  if (remote_) remote_->cancel();
  fetching_.stop();
  verifying_.stop();
}

void JwtAuthorizer::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer() || !looks_like_jwt(credential.token)) return answer(Verdict::pass());
  if (remote_) refresh_if_stale();
  auto job = std::make_shared<Job>(Job{credential.token, std::move(answer), steady_.now()});
  if (!verifying_.add([this, job](std::size_t) { verify(job); }))
    job->answer(Verdict::later("too many tokens wait to be verified (auth.queued)"));
}

void JwtAuthorizer::answer(const std::shared_ptr<Job>& job, Verdict verdict) {
  post_([job, verdict = std::move(verdict)]() mutable { job->answer(std::move(verdict)); });
}

void JwtAuthorizer::verify(const std::shared_ptr<Job>& job) {
  JwtKeys keys;
  {
    const std::lock_guard lock(mutex_);
    keys = *files_;
  }
  if (remote_) keys.join(*remote_->keys());
  JwtVerdict verdict = judge_jwt(job->token, keys, settings_.rules, settings_.clock());
  switch (verdict.what) {
    case JwtVerdict::What::foreign: return answer(job, Verdict::pass(verdict.reason));
    case JwtVerdict::What::bad: return answer(job, Verdict::refuse(verdict.reason));
    case JwtVerdict::What::unknown_key:
      if (!remote_ || job->fresh) return answer(job, Verdict::refuse(verdict.reason));
      if (job->fetched) return answer(job, Verdict::later(verdict.reason + ", and the key set can't be fetched now"));
      return fetch_for(job);
    case JwtVerdict::What::good: break;
  }
  auto identity = identity_of(verdict.claims, settings_.names);
  if (!identity) return answer(job, Verdict::refuse(identity.error().text()));
  identity->token = job->token;
  identity->expires = verdict.expires;
  answer(job, Verdict::accept(std::move(*identity)));
}

void JwtAuthorizer::fetch_for(const std::shared_ptr<Job>& job) {
  const bool taken = fetching_.add([this, job](std::size_t) {
    job->fetched = true;
    job->fresh = remote_->refresh(job->arrived, steady_.now());
    if (!verifying_.add([this, job](std::size_t) { verify(job); }))
      answer(job, Verdict::later("too many tokens wait to be verified (auth.queued)"));
  });
  if (!taken) answer(job, Verdict::later("too many tokens wait for a key set (auth.queued)"));
}

void JwtAuthorizer::refresh_if_stale() {
  if (!remote_->stale(steady_.now()) || refreshing_.exchange(true)) return;
  const bool taken = fetching_.add([this](std::size_t) {
    const SteadyTime now = steady_.now();
    remote_->refresh(now, now);
    refreshing_ = false;
  });
  if (!taken) refreshing_ = false;
}

Result<void> JwtAuthorizer::reload() {
  auto keys = load(settings_);
  if (!keys) return tl::unexpected(keys.error());
  take(std::move(*keys));
  return {};
}

void JwtAuthorizer::take(JwtKeys&& from_files) {
  say_skipped(from_files.skipped(), files_ ? files_->skipped() : SkippedKeys(), settings_.jwks_file);
  const std::lock_guard lock(mutex_);
  files_ = std::make_shared<const JwtKeys>(std::move(from_files));
}

KeyFigures JwtAuthorizer::key_figures() const {
  KeyFigures out;
  const auto add = [&](const JwtKeys& keys) {
    out.used += keys.size();
    out.unusable += keys.skipped().unusable;
    out.not_for_signatures += keys.skipped().not_for_signatures;
  };
  {
    const std::lock_guard lock(mutex_);
    add(*files_);
  }
  if (remote_) add(*remote_->keys());
  return out;
}

}  // namespace nuropb::meshd
