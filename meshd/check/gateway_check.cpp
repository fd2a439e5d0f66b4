#include "meshd/check/gateway_check.hpp"

#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>

#include "common/errno_text.hpp"
#include "common/sandbox.hpp"
#include "edge/net/tls_config.hpp"
#include "meshd/auth/make_authorizers.hpp"
#include "meshd/auth/static_tokens.hpp"
#include "meshd/check/pem_files.hpp"
#include "meshd/container_settings.hpp"
#include "meshd/peer_keys.hpp"
#include "meshd/policy.hpp"
#include "meshd/runtime_dir.hpp"
#include "meshd/settings.hpp"
#include "meshd/snorky/hub.hpp"
#include "meshd/tracing/otlp.hpp"

namespace nuropb::meshd {
namespace {

class GatewayCheck {
 public:
  explicit GatewayCheck(const Config& config) : config_(config) {}

  ConfigFindings run() {
    runtime_dir();
    if (!config_.hardening.edge_user.empty()) note(sandbox::edge_identity(config_.hardening.edge_user));
    add(edge::check_tls(config_));
    broker();
    etcd();
    authorizers();
    policy();
    note(snorky::Hub::parts(config_));
    if (!config_.push.key_file.empty()) note(PeerKeys::load(config_.push.key_file));
    tracing();
    return std::move(found_);
  }

 private:
  /// The folder may be made by the start, so it may be missing, but nothing on its path may be in the way.
  void runtime_dir() {
    const std::string& path = config_.gateway.runtime_dir;
    if (RuntimeDir::control_socket_of(path).size() >= sizeof(sockaddr_un::sun_path))
      return mistake("is too long: a Unix socket in it has a path of at most 107 bytes", path);
    std::filesystem::path existing(path);
    struct stat st{};
    while (::stat(existing.c_str(), &st) != 0) {
      if (errno != ENOENT) return mistake("can't be used: " + errno_text(), path);
      existing = existing.has_relative_path() ? existing.parent_path() : std::filesystem::path(".");
      if (existing.empty()) existing = ".";
    }
    if (!S_ISDIR(st.st_mode)) return mistake("is not a folder", existing.string());
    if (existing == path && (st.st_mode & 0022) != 0)
      mistake("others may write to it", path, "chmod go-w it: it holds the secret that seals identities");
  }

  void broker() {
    note(transport_settings(config_, "check"));
    const Config::Amqp& amqp = config_.amqp;
    if (!amqp.password_file.empty()) note(mesh::SecretFile(amqp.password_file).read());
    note(check_authorities(amqp.ca_file));
    note(check_pair(amqp.certificate_file, amqp.key_file));
  }

  void etcd() {
    const Config::Etcd& etcd = config_.etcd;
    if (const auto transport = transport_settings(config_, "check"))
      note(container_settings(config_, "check", *transport));
    note(check_authorities(etcd.ca_file));
    note(check_pair(etcd.certificate_file, etcd.key_file));
  }

  void authorizers() {
    for (const std::string& name : config_.auth.authorizers) note(make_authorizer(config_, name));
    if (!config_.auth.revoked_file.empty()) note(AuthorizerChain({}).load_revoked(config_.auth.revoked_file));
    note(check_authorities(config_.jwt.jwks_ca_file));
    note(check_authorities(config_.introspection.ca_file));
    if (config_.auth.token_file.empty()) return;
    if (const auto tokens = StaticTokens::load(config_.auth.token_file); tokens && tokens->size() == 0)
      warning("has no token, so no client can connect with one", config_.auth.token_file);
  }

  void policy() {
    if (config_.auth.policy_file.empty()) return;
    const auto read = Policy::load(config_.auth.policy_file);
    note(read);
    if (!read) return;
    for (const std::string& topic : read->topics()) {
      if (topic.find("**") != std::string::npos)
        warning("the topic '" + topic +
                    "' has '**', which stands only for itself: '#' stands for any number of words, '*' for one",
                config_.auth.policy_file);
    }
  }

  void tracing() {
    note(check_authorities(config_.tracing.ca_file));
    if (config_.tracing.otlp_url.empty()) return;
    note(parse_otlp_url(config_.tracing.otlp_url));
    if (config_.tracing.headers_file.empty()) return;
    auto text = mesh::SecretFile(config_.tracing.headers_file, "tracing.headers_file").read_lines();
    note(text);
    if (!text) return;
    if (const auto headers = parse_headers(*text); !headers)
      mistake(headers.error().what, config_.tracing.headers_file, headers.error().hint);
  }

  template <class T>
  void note(const Result<T>& result) {
    if (!result) found_.mistakes.push_back(result.error());
  }
  void add(ConfigFindings more) {
    for (Error& one : more.mistakes) found_.mistakes.push_back(std::move(one));
    for (Error& one : more.warnings) found_.warnings.push_back(std::move(one));
  }
  void mistake(std::string what, const std::string& where, std::string hint = {}) {
    found_.mistakes.push_back({std::move(what), where, std::move(hint)});
  }
  void warning(std::string what, const std::string& where) { found_.warnings.push_back({std::move(what), where, {}}); }

  const Config& config_;
  ConfigFindings found_;
};

}  // namespace

ConfigFindings check_gateway(const Config& config) { return GatewayCheck(config).run(); }

}  // namespace nuropb::meshd
