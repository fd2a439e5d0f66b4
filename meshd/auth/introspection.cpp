#include "meshd/auth/introspection.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base64.hpp"
#include "common/percent.hpp"
#include "common/text_file.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_answer = 64 * 1024, max_secret_bytes = 64 * 1024;

}  // namespace

Verdict judge_introspection(unsigned status, std::string_view body, const ClaimNames& names, std::int64_t now) {
  if (status == 401 || status == 403)
    return Verdict::later("the authorization server refuses our credentials (introspection.client_id)");
  if (status != 200) return Verdict::later("the authorization server answers with status " + std::to_string(status));
  const auto answer = nlohmann::json::parse(body, nullptr, false);
  const auto active = answer.is_object() ? answer.find("active") : answer.end();
  if (!answer.is_object() || active == answer.end() || !active->is_boolean())
    return Verdict::later("the authorization server's answer is not an introspection response (RFC 7662)");
  if (!active->get<bool>()) return Verdict::pass("it is not active");
  std::optional<std::int64_t> exp;
  if (const auto found = answer.find("exp"); found != answer.end() && !found->is_null()) {
    exp = numeric_date(*found);
    if (!exp) return Verdict::refuse("exp is not a time");
    // In an identity 0 means "never", and this machine's clock is never that early.
    if (*exp <= std::max<std::int64_t>(now, 0)) return Verdict::refuse("it has expired");
  }
  if (const auto nbf = answer.find("nbf"); nbf != answer.end() && !nbf->is_null()) {
    const auto from = numeric_date(*nbf);
    if (!from) return Verdict::refuse("nbf is not a time");
    if (*from > now) return Verdict::refuse("it is not valid yet (nbf)");
  }
  auto identity = identity_of(answer, names);
  if (!identity) return Verdict::refuse(identity.error().text());
  identity->expires = exp.value_or(0);
  return Verdict::accept(std::move(*identity));
}

Introspection::Introspection(Settings settings)
    : settings_(std::move(settings)), threads_(settings_.threads, settings_.queued) {
  settings_.server.max_body = max_answer;
  for (std::size_t i = 0; i < settings_.threads; ++i)
    clients_.push_back(std::make_unique<http::Client>(settings_.server));
}

Result<std::unique_ptr<Introspection>> Introspection::make(Settings settings) {
  if (settings.client_id.empty() != settings.client_secret_file.empty()) {
    return failure("introspection.client_id and introspection.client_secret_file belong together", "",
                   "set both, or neither");
  }
  std::unique_ptr<Introspection> out(new Introspection(std::move(settings)));
  if (auto ok = out->reload(); !ok) return tl::unexpected(ok.error());
  return out;
}

Result<void> Introspection::reload() {
  if (settings_.client_secret_file.empty()) return {};
  const auto text = read_text_file(settings_.client_secret_file, max_secret_bytes);
  if (!text) return failure(text.error().what, text.error().where, "introspection.client_secret_file names it");
  std::string secret = text->substr(0, text->find('\n'));
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty())
    return failure("its first line is empty", settings_.client_secret_file,
                   "introspection.client_secret_file names it");
  const std::lock_guard lock(mutex_);
  // RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
  authorization_ = "Basic " + base64::encode(percent_encode(settings_.client_id) + ":" + percent_encode(secret));
  return {};
}

void Introspection::start(const Post& post) {
  post_ = post;
  threads_.start();
}

void Introspection::stop() {
  for (const auto& client : clients_) client->cancel();
  threads_.stop();
}

void Introspection::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer()) return answer(Verdict::pass());
  const bool taken = threads_.add([this, token = credential.token, answer](std::size_t thread) {
    post_([answer, verdict = ask(*clients_[thread], token)]() mutable { answer(std::move(verdict)); });
  });
  if (!taken) answer(Verdict::later("too many tokens are waiting to be checked (auth.queued)"));
}

Verdict Introspection::ask(http::Client& client, const std::string& token) {
  http::Request request{"POST",
                        "",
                        "token=" + percent_encode(token) + "&token_type_hint=access_token",
                        {{"Content-Type", "application/x-www-form-urlencoded"}}};
  {
    const std::lock_guard lock(mutex_);
    if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_);
  }
  const auto answer = client.send(request, settings_.timeout);
  if (!answer) return Verdict::later(answer.error().text());
  Verdict verdict = judge_introspection(answer->status, answer->body, settings_.names, settings_.clock());
  if (verdict.accepted()) verdict.identity.token = token;
  return verdict;
}

}  // namespace nuropb::meshd
