// What is probably not intended about settings that are right one by one, and where a setting was set.

#include <algorithm>
#include <string_view>

#include "common/config.hpp"
#include "common/config_keys.hpp"
#include "common/exposed_secrets.hpp"

namespace nuropb {
namespace {

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class Warnings {
 public:
  explicit Warnings(const Config& config) : config_(config) {}

  void authorizers() {
    const auto& asked = config_.auth.authorizers;
    const auto unused = [&](bool set, const char* key, const char* authorizer) {
      if (set && !has(asked, authorizer))
        warn(key, "is never used", std::string("auth.authorizers does not name \"") + authorizer + "\"");
    };
    const Config::Jwt& jwt = config_.jwt;
    unused(!config_.auth.token_file.empty(), "auth.token_file", "tokens");
    unused(!jwt.secret_file.empty(), "jwt.secret_file", "jwt");
    unused(!jwt.key_file.empty(), "jwt.key_file", "jwt");
    unused(!jwt.jwks_file.empty(), "jwt.jwks_file", "jwt");
    unused(!jwt.jwks_url.empty(), "jwt.jwks_url", "jwt");
    unused(!config_.introspection.url.empty(), "introspection.url", "introspection");
    unused(!config_.cookie.secret_file.empty(), "cookie.secret_file", "session_cookie");
    unused(!config_.auth.mesh_service.empty(), "auth.mesh_service", "mesh");
    if (has(asked, "client_certificate") && config_.tls.client_certificates == ClientCertificates::none)
      warn("auth.authorizers", "\"client_certificate\" accepts no client", "tls.client_certificates is \"none\"");
    if (!has(asked, "jwt")) return;
    const auto symmetric = [](const std::string& algorithm) { return algorithm.starts_with("HS"); };
    const bool any_symmetric = std::any_of(jwt.algorithms.begin(), jwt.algorithms.end(), symmetric);
    const bool all_symmetric = std::all_of(jwt.algorithms.begin(), jwt.algorithms.end(), symmetric);
    if (!jwt.secret_file.empty() && !any_symmetric)
      warn("jwt.secret_file", "is never used", "jwt.algorithms names none of HS256, HS384 and HS512");
    // A set of keys may have a symmetric one in it.
    if (jwt.secret_file.empty() && jwt.jwks_file.empty() && jwt.jwks_url.empty() && any_symmetric)
      warn("jwt.algorithms", "no token with HS256, HS384 or HS512 can be verified", "jwt.secret_file is not set");
    if (!jwt.key_file.empty() && all_symmetric)
      warn("jwt.key_file", "is never used", "jwt.algorithms names only HS256, HS384 or HS512");
  }

  void files_without_use() {
    const auto unused = [&](const std::string& file, const char* key, bool used, const char* why) {
      if (!file.empty() && !used) warn(key, "is never used", why);
    };
    const auto tls = std::any_of(config_.amqp.urls.begin(), config_.amqp.urls.end(),
                                 [](const std::string& url) { return url.starts_with("amqps"); });
    unused(config_.amqp.ca_file, "amqp.ca_file", tls, "no URL of amqp.urls begins with amqps://");
    unused(config_.amqp.certificate_file, "amqp.certificate_file", tls, "no URL of amqp.urls begins with amqps://");
    unused(config_.etcd.ca_file, "etcd.ca_file", !config_.etcd.urls.empty(), "etcd.urls is empty");
    unused(config_.etcd.password_file, "etcd.password_file", !config_.etcd.urls.empty(), "etcd.urls is empty");
    unused(config_.tracing.headers_file, "tracing.headers_file", !config_.tracing.otlp_url.empty(),
           "tracing.otlp_url is not set");
    unused(config_.tls.client_ca_file, "tls.client_ca_file",
           config_.tls.client_certificates != ClientCertificates::none, "tls.client_certificates is \"none\"");
    unused(config_.introspection.client_secret_file, "introspection.client_secret_file",
           !config_.introspection.url.empty(), "introspection.url is not set");
    if (config_.console.enabled && config_.console.users.empty())
      warn("console.users", "no user can open the console", "name users, or \"*\" for every user with a valid token");
    if (config_.snorky.path.empty() && !config_.snorky.services_file.empty())
      warn("snorky.services_file", "is never used", "snorky.path is not set");
  }

  void secrets() {
    for (const std::string& key : config_.passwords_on_command_line)
      warn(key, "every user of this host can read a password on the command line",
           "set it in the config file, or use a password file");
    auto files = secret_files_of_meshd(config_);
    const auto of_edges = secret_files_of_edges(config_);
    files.insert(files.end(), of_edges.begin(), of_edges.end());
    for (const auto& [key, file] : readable_by_all(files))
      warn(key.c_str(), file + " can be read by every user of this host", "chmod o-r");
  }

  void variables() {
    if (!config_.ignored_variables.empty())
      out_.push_back({"these variables are ignored, since they name no setting: " + ignored_variables_text(config_),
                      "environment",
                      {}});
  }

  std::vector<Error> take() { return std::move(out_); }

 private:
  void warn(const std::string& key, const std::string& what, std::string hint) {
    const auto place = config_.places.find(key);
    out_.push_back({key + ": " + what, place == config_.places.end() ? std::string() : place->second, std::move(hint)});
  }
  const Config& config_;
  std::vector<Error> out_;
};

/// Whether an error's place is in that file: "tokens.toml" or "tokens.toml:12".
bool in_file(std::string_view where, std::string_view file) {
  return !file.empty() && where.starts_with(file) && (where.size() == file.size() || where[file.size()] == ':');
}

bool names_file(const ConfigKey& key, const Config& config, std::string_view where) {
  if (key.type != ConfigKey::Type::path && !key.paths) return false;
  const ConfigValue value = key.get(config);
  if (const auto* one = std::get_if<std::string>(&value)) return in_file(where, *one);
  const auto& all = std::get<std::vector<std::string>>(value);
  return std::any_of(all.begin(), all.end(), [&](const std::string& file) { return in_file(where, file); });
}

}  // namespace

std::vector<Error> config_warnings(const Config& config) {
  Warnings warnings(config);
  warnings.authorizers();
  warnings.files_without_use();
  warnings.secrets();
  warnings.variables();
  return warnings.take();
}

Error with_setting(const Config& config, Error error) {
  for (const ConfigKey& key : config_keys()) {
    if (!names_file(key, config, error.where)) continue;
    const std::string name = key.full_name();
    const auto place = config.places.find(name);
    if (error.hint.find(name) == std::string::npos) error.hint += (error.hint.empty() ? "" : "; ") + name + " names it";
    if (place != config.places.end()) error.hint += ", " + place->second;
    break;
  }
  return error;
}

ConfigFindings check_config(const ConfigSources& sources, const ConfigChecker& check) {
  const auto loaded = load_config(sources);
  const Config& config = loaded ? *loaded : loaded.error().rest;
  ConfigFindings out = check ? check(config) : ConfigFindings();
  for (auto* const errors : {&out.mistakes, &out.warnings}) {
    for (Error& error : *errors) error = with_setting(config, std::move(error));
  }
  if (loaded) {
    auto together = config_warnings(config);
    together.insert(together.end(), out.warnings.begin(), out.warnings.end());
    out.warnings = std::move(together);
  } else {
    // A missing setting may be one with a mistake. What is wrong in a file is wrong in any case.
    std::erase_if(out.mistakes, [](const Error& error) { return error.where.empty(); });
    out.warnings.clear();
    out.mistakes.insert(out.mistakes.begin(), loaded.error().errors.begin(), loaded.error().errors.end());
  }
  return out;
}

}  // namespace nuropb
