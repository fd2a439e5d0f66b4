#include "meshd/auth/make_authorizers.hpp"

#include "common/log.hpp"
#include "meshd/auth/cached.hpp"
#include "meshd/auth/client_certificate.hpp"
#include "meshd/auth/introspection.hpp"
#include "meshd/auth/jwt_authorizer.hpp"
#include "meshd/auth/session_cookie.hpp"
#include "meshd/auth/static_tokens.hpp"

namespace nuropb::meshd {
namespace {

using Made = Result<std::unique_ptr<Authorizer>>;

Result<http::Client::Settings> server_of(const std::string& url, const std::string& ca_file, const char* key,
                                         std::size_t max_body) {
  auto parsed = http::parse_url(url);
  if (!parsed) return failure(parsed.error().what, parsed.error().where, std::string(key) + " names it");
  http::Client::Settings out;
  out.url = std::move(*parsed);
  out.tls.ca_file = ca_file;
  out.max_body = max_body;
  if (!out.url.tls && !http::loopback(out.url)) {
    log::warning("tokens are authenticated by a response that can be forged in transit",
                 {{"setting", key}, {"url", out.url.redacted()}, {"hint", "use https"}});
  }
  return out;
}

Made tokens(const Config& config) {
  if (config.auth.token_file.empty())
    return failure("auth.token_file is not set", "",
                   "the authorizer \"tokens\" needs it; auth.authorizers selects others");
  auto loaded = StaticTokens::load(config.auth.token_file);
  if (!loaded) return tl::unexpected(loaded.error());
  return std::make_unique<StaticTokens>(std::move(*loaded));
}

Made jwt(const Config& config) {
  const Config::Jwt& from = config.jwt;
  JwtAuthorizer::Settings settings;
  settings.rules = {from.algorithms, from.issuer, from.audience, from.leeway_s, from.require_exp};
  settings.names = {from.user_claim, from.username_claim, from.roles_claim, from.claims};
  settings.key_file = from.key_file;
  settings.secret_file = from.secret_file;
  settings.jwks_file = from.jwks_file;
  settings.queued = config.auth.queued;
  if (!from.jwks_url.empty()) {
    auto server = server_of(from.jwks_url, from.jwks_ca_file, "jwt.jwks_url", max_jwks_bytes);
    if (!server) return tl::unexpected(server.error());
    server->keep_open = false;
    settings.remote = {std::move(*server), milliseconds(from.jwks_timeout_ms), milliseconds(from.jwks_retry_s * 1000LL),
                       milliseconds(from.jwks_refresh_s * 1000LL)};
  }
  auto made = JwtAuthorizer::make(std::move(settings));
  if (!made) return tl::unexpected(made.error());
  return std::move(*made);
}

// Concurrent queries to the service: one that answers 20 per second has answered all of them within 2 seconds.
constexpr std::size_t mesh_at_a_time = 32;

CachedAuthorizer::Settings cache_of(const Config& config, std::size_t at_a_time) {
  return {config.auth.cache_s,
          config.auth.negative_cache_s,
          config.auth.cache_entries,
          config.auth.queued,
          at_a_time,
          unix_now};
}

Made introspection(const Config& config) {
  const Config::Introspection& from = config.introspection;
  if (from.url.empty()) return failure("introspection.url is not set", "", "the authorizer \"introspection\" needs it");
  auto server = server_of(from.url, from.ca_file, "introspection.url", 0);
  if (!server) return tl::unexpected(server.error());
  auto made = Introspection::make({std::move(*server),
                                   milliseconds(from.timeout_ms),
                                   from.threads,
                                   config.auth.queued,
                                   from.client_id,
                                   from.client_secret_file,
                                   {from.user_claim, from.username_claim, from.roles_claim, from.claims},
                                   unix_now});
  if (!made) return tl::unexpected(made.error());
  // One query per thread, and one more that each can start with at once.
  return std::make_unique<CachedAuthorizer>(std::move(*made), cache_of(config, 2 * std::size_t{from.threads}));
}

Made session_cookie(const Config& config) {
  auto made = SessionCookie::make(
      {config.auth.session_cookie, config.cookie.secret_file, config.cookie.max_age_days * 86'400LL, unix_now});
  if (!made) return tl::unexpected(made.error());
  return std::move(*made);
}

Made mesh(const Config& config, MeshAuthorizer** made = nullptr) {
  if (config.auth.mesh_service.empty())
    return failure("auth.mesh_service is not set", "", "the authorizer \"mesh\" needs it");
  auto mesh = std::make_unique<MeshAuthorizer>(
      MeshAuthorizer::Settings{config.auth.mesh_service, config.auth.mesh_method,
                               milliseconds(config.auth.mesh_timeout_ms), config.auth.queued});
  if (made) *made = mesh.get();
  return std::make_unique<CachedAuthorizer>(std::move(mesh), cache_of(config, mesh_at_a_time));
}

}  // namespace

Made make_authorizer(const Config& config, const std::string& name) {
  if (name == "tokens") return tokens(config);
  if (name == "jwt") return jwt(config);
  if (name == "introspection") return introspection(config);
  if (name == "session_cookie") return session_cookie(config);
  if (name == "client_certificate") return std::make_unique<ClientCertificate>();
  if (name == "mesh") return mesh(config);
  return failure("'" + name + "' is no authorizer", "auth.authorizers");
}

Result<Authorizers> make_authorizers(const Config& config) {
  Authorizers out;
  std::vector<std::unique_ptr<Authorizer>> all;
  for (const std::string& name : config.auth.authorizers) {
    Made made = name == "mesh" ? mesh(config, &out.mesh) : make_authorizer(config, name);
    if (!made) return tl::unexpected(made.error());
    all.push_back(std::move(*made));
  }
  out.chain = std::make_unique<AuthorizerChain>(std::move(all));
  if (!config.auth.revoked_file.empty()) {
    if (auto ok = out.chain->load_revoked(config.auth.revoked_file); !ok) return tl::unexpected(ok.error());
  }
  return out;
}

}  // namespace nuropb::meshd
