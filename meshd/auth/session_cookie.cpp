#include "meshd/auth/session_cookie.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base64.hpp"
#include "common/ids.hpp"
#include "common/text_file.hpp"
#include "meshd/auth/claims.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_secrets_bytes = 64 * 1024, max_secrets = 16;
constexpr std::int64_t clock_skew_s = 31 * 86'400;  // Tornado's limit for timestamps in the future

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || n < 0) return {};
  return n;
}

/// Removes `length:text|` from the front.
std::optional<std::string_view> take_field(std::string_view& rest) {
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos || colon > 6) return {};
  const auto size = number_of<int>(rest.substr(0, colon));
  rest.remove_prefix(colon + 1);
  if (!size || static_cast<std::size_t>(*size) >= rest.size() || rest[static_cast<std::size_t>(*size)] != '|')
    return {};
  const auto field = rest.substr(0, static_cast<std::size_t>(*size));
  rest.remove_prefix(field.size() + 1);
  return field;
}

Result<std::vector<std::string>> read_secrets(const std::string& file) {
  const auto text = read_text_file(file, max_secrets_bytes);
  if (!text) return failure(text.error().what, text.error().where, "cookie.secret_file names it");
  std::vector<std::string> out;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) out.emplace_back(line);
  }
  if (out.empty()) return failure("holds no secret", file, "cookie.secret_file names it");
  if (out.size() > max_secrets) return failure("holds more than 16 secrets", file, "cookie.secret_file names it");
  return out;
}

}  // namespace

std::optional<SignedValue> open_signed_value(std::string_view text, std::string_view name,
                                             const std::vector<std::string>& secrets) {
  if (!text.starts_with("2|")) return {};
  std::string_view rest = text.substr(2);
  const auto key = take_field(rest), timestamp = take_field(rest), signed_name = take_field(rest),
             value = take_field(rest);
  if (!key || !timestamp || !signed_name || !value || *signed_name != name) return {};
  const auto signature = from_hex(rest);
  if (!signature || signature->size() != 32) return {};
  const std::string_view signed_part = text.substr(0, text.size() - rest.size());
  bool right = false;
  for (const std::string& secret : secrets) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    const bool made =
        HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(signed_part.data()), signed_part.size(), mac, &size) != nullptr;
    right = (made && size == 32 && CRYPTO_memcmp(mac, signature->data(), 32) == 0) || right;
  }
  const auto at = number_of<std::int64_t>(*timestamp);
  auto plain = base64::decode(*value);
  if (!right || !at || !plain) return {};
  return SignedValue{std::move(*plain), *at};
}

Result<std::unique_ptr<SessionCookie>> SessionCookie::make(Settings settings) {
  if (settings.name.empty())
    return failure("auth.session_cookie is not set", "", "the authorizer \"session_cookie\" needs the cookie's name");
  if (settings.secret_file.empty())
    return failure("cookie.secret_file is not set", "", "the authorizer \"session_cookie\" needs the secret");
  std::unique_ptr<SessionCookie> out(new SessionCookie(std::move(settings)));
  if (auto ok = out->reload(); !ok) return tl::unexpected(ok.error());
  return out;
}

Result<void> SessionCookie::reload() {
  auto secrets = read_secrets(settings_.secret_file);
  if (!secrets) return tl::unexpected(secrets.error());
  secrets_ = std::move(*secrets);
  return {};
}

void SessionCookie::judge(const Credential& credential, Answer answer) {
  // An HMAC takes microseconds, so it needs no thread.
  answer(credential.kind == records::CredentialKind::session_cookie ? verdict(credential.token) : Verdict::pass());
}

Verdict SessionCookie::verdict(const std::string& cookie) const {
  const auto opened = open_signed_value(cookie, settings_.name, secrets_);
  if (!opened) return Verdict::refuse("its signature is wrong");
  const std::int64_t now = settings_.clock();
  if (opened->timestamp > now + clock_skew_s) return Verdict::refuse("it was signed in the future");
  if (opened->timestamp + settings_.max_age_s <= now) return Verdict::refuse("it is too old (cookie.max_age_days)");
  const auto info = nlohmann::json::parse(opened->value, nullptr, false);
  // The members that nuropb-gw uses. A bearer token among them is forwarded without another authentication.
  auto identity = identity_of(info, {"user_id", "username", "roles", {"roles", "claims"}});
  if (!identity) return Verdict::refuse(identity.error().text());
  if (const auto claims = info.find("claims"); claims != info.end() && claims->is_object())
    identity->claims = claims->dump();
  else identity->claims.clear();
  if (const auto token = info.find("bearer_token"); token != info.end() && token->is_string())
    identity->token = token->get<std::string>();
  identity->expires = opened->timestamp + settings_.max_age_s;
  return Verdict::accept(std::move(*identity));
}

}  // namespace nuropb::meshd
