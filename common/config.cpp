// Loads the config: checks the values of file, environment and overrides against the table of keys.

#include "common/config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "common/authority.hpp"
#include "common/config_keys.hpp"
#include "common/json/scan.hpp"
#include "common/service_link.hpp"
#include "common/text_file.hpp"

extern char** environ;

namespace nuropb {
namespace {

constexpr std::string_view environment_prefix = "NUROPB_";
constexpr std::size_t max_file_bytes = 1U << 20;

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// "did you mean 'x'?" if a similar word exists, otherwise empty.
template <class Words>
std::string suggestion(std::string_view word, const Words& words) {
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t nearest = 3;
  for (const std::string_view candidate : words) {
    if (const std::size_t d = distance(word, candidate); d < nearest) {
      nearest = d;
      best = candidate;
    }
  }
  return best.empty() ? std::string() : "did you mean '" + std::string(best) + "'?";
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> out;
  for (const auto& section : config_sections()) out.push_back(section.name);
  return out;
}
std::vector<std::string_view> key_names(std::string_view section) {
  std::vector<std::string_view> out;
  for (const auto& key : config_keys()) {
    if (key.section == section) out.push_back(key.name);
  }
  return out;
}
bool is_section(std::string_view name) {
  const auto names = section_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::optional<ConfigValue> from_toml(const toml::node& node) {
  if (const auto b = node.value_exact<bool>()) return ConfigValue(*b);
  if (const auto n = node.value_exact<std::int64_t>()) return ConfigValue(*n);
  if (const auto s = node.value_exact<std::string>()) return ConfigValue(*s);
  if (const auto* array = node.as_array()) {
    std::vector<std::string> out;
    for (const auto& entry : *array) {
      const auto s = entry.value_exact<std::string>();
      if (!s) return {};
      out.push_back(*s);
    }
    return ConfigValue(std::move(out));
  }
  return {};
}

/// Applies sources one after the other and collects all mistakes.
class Loader {
 public:
  void file(std::string_view text, std::string_view name) {
    toml::table root;
    try {
      root = toml::parse(text, name);
    } catch (const toml::parse_error& e) {
      const std::string why(e.description());
      // A missing quote shows as a text that does not end on its line.
      const bool quote = why.find("control characters") != std::string::npos || why.find("string") != std::string::npos;
      mistake(place(name, e.source()), "not TOML: " + why, quote ? "is a quote missing on this line?" : "");
      return;
    }
    const auto folder = std::filesystem::path(name).parent_path();
    for (auto&& [section, node] : root) {
      if (!is_section(section.str())) {
        file_mistake(name, node, "unknown section '" + std::string(section.str()) + "'",
                     suggestion(section.str(), section_names()));
        continue;
      }
      const toml::table* const table = node.as_table();
      if (!table) {
        file_mistake(name, node, "'" + std::string(section.str()) + "' is not a table");
        continue;
      }
      for (auto&& [key, value] : *table) file_key(name, folder, section.str(), key.str(), value);
    }
    // The parser's tables are sorted by name; mistakes are reported in the order of the file's lines.
    std::stable_sort(in_file_.begin(), in_file_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [line, error] : in_file_) errors_.errors.push_back(std::move(error));
    in_file_.clear();
  }

  void environment(const std::vector<std::pair<std::string, std::string>>& variables) {
    for (const auto& [variable, text] : variables) {
      std::string rest = variable.substr(std::min(variable.size(), environment_prefix.size()));
      std::transform(rest.begin(), rest.end(), rest.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const auto underscore = rest.find('_');
      // A variable of an unknown section belongs to another program.
      if (underscore == std::string::npos || !is_section(rest.substr(0, underscore))) continue;
      const std::string section = rest.substr(0, underscore), name = rest.substr(underscore + 1);
      const ConfigKey* const key = find_config_key(section, name);
      // Other programs use the environment too, so a variable that matches no key must not prevent the start. Neither
      // must a service link whose name matches a key: a Service called nuropb-listen sets NUROPB_LISTEN_PORT=tcp://….
      if (!key) leave_alone(variable, is_service_link(variable, text), suggestion(name, key_names(section)));
      else if (key->type == ConfigKey::Type::integer && is_service_link_value(text)) leave_alone(variable, true, {});
      else text_key(variable, section, name, text);
    }
  }

  void overrides(const std::vector<std::pair<std::string, std::string>>& settings) {
    for (const auto& [name, text] : settings) {
      const auto dot = name.find('.');
      if (dot == std::string::npos || !is_section(name.substr(0, dot)))
        mistake("--set", "unknown key '" + name + "'", "keys are named section.key");
      else text_key("--set " + name, name.substr(0, dot), name.substr(dot + 1), text);
      const ConfigKey* const key =
          dot == std::string::npos ? nullptr : find_config_key(name.substr(0, dot), name.substr(dot + 1));
      if (key && key->secret && has_password(text)) config_.passwords_on_command_line.push_back(name);
    }
  }

  /// Conditions that involve several keys.
  void together() {
    if (!errors_.errors.empty()) return;
    ports();
    const Config::Tls& tls = config_.tls;
    const Config::Lines& lines = config_.lines;
    if (lines.enabled && lines.service_name == config_.gateway.service)
      mistake(set_at("lines.service_name", "gateway.service"),
              "lines.service_name is gateway.service: each kind of listener needs its own service name");
    if (lines.enabled && lines.tls && tls.certificate_files.empty())
      mistake(set_at("lines.tls", "lines.enabled"), "lines.tls needs tls.certificate_files");
    if (tls.key_files.size() != tls.certificate_files.size()) {
      mistake(set_at("tls.key_files", "tls.certificate_files"),
              "tls.key_files: " + std::to_string(tls.key_files.size()) + " for " +
                  std::to_string(tls.certificate_files.size()) + " tls.certificate_files",
              "list one key for each certificate, in the same order");
    }
    if (tls.client_certificates != ClientCertificates::none &&
        (tls.client_ca_file.empty() || tls.certificate_files.empty())) {
      mistake(set_at("tls.client_certificates", "tls.client_ca_file"),
              "tls.client_certificates: needs tls.certificate_files, and tls.client_ca_file to verify them against");
    }
    if (!tls.client_crl_file.empty() && tls.client_certificates == ClientCertificates::none) {
      mistake(set_at("tls.client_crl_file", "tls.client_certificates"),
              "tls.client_crl_file: does nothing without tls.client_certificates");
    }
    if (config_.push.accept_unsigned && config_.push.key_file.empty()) {
      mistake(set_at("push.accept_unsigned", "push.key_file"),
              "push.accept_unsigned: does nothing without push.key_file");
    }
    if (config_.listen.proxy_protocol && config_.listen.trusted_proxies.empty()) {
      mistake(set_at("listen.proxy_protocol", "listen.trusted_proxies"),
              "listen.proxy_protocol: no connection would be accepted, because listen.trusted_proxies is empty");
    }
    const auto fits = [&](const char* key, std::uint64_t bytes) {
      // A record may take half of its ring; 64 KiB are reserved for everything except the message itself.
      if (bytes / 2 < std::uint64_t{config_.limits.message_bytes} + 65536) {
        mistake(set_at(key, "limits.message_bytes"),
                std::string(key) + ": " + std::to_string(bytes) +
                    " bytes do not hold two messages of limits.message_bytes (" +
                    std::to_string(config_.limits.message_bytes) + ")",
                "make the ring larger or the message smaller");
      }
    };
    const auto at_most = [&](const std::string& low, std::uint32_t a, const std::string& high, std::uint32_t b) {
      if (a > b)
        mistake(set_at(low, high),
                low + " is above " + high + " (" + std::to_string(a) + " and " + std::to_string(b) + ")");
    };
    fits("rings.request_bytes", config_.rings.request_bytes);
    fits("rings.return_bytes", config_.rings.return_bytes);
    at_most("request.ttl_ms", config_.request.ttl_ms, "request.max_ttl_ms", config_.request.max_ttl_ms);
    at_most("amqp.reconnect_min_ms", config_.amqp.reconnect_min_ms, "amqp.reconnect_max_ms",
            config_.amqp.reconnect_max_ms);
    at_most("gateway.edges", config_.gateway.edges, "gateway.max_workers", config_.gateway.max_workers);
    if (config_.snorky.path == config_.listen.path)
      mistake(set_at("snorky.path", "listen.path"), "snorky.path and listen.path are the same");
    if (config_.etcd.certificate_file.empty() != config_.etcd.key_file.empty()) {
      mistake(set_at("etcd.certificate_file", "etcd.key_file"),
              "etcd.certificate_file and etcd.key_file: one is set without the other");
    }
    if (config_.etcd.user.empty() != config_.etcd.password_file.empty()) {
      mistake(set_at("etcd.user", "etcd.password_file"),
              "etcd.user and etcd.password_file: one is set without the other");
    }
    if (config_.amqp.certificate_file.empty() != config_.amqp.key_file.empty()) {
      mistake(set_at("amqp.certificate_file", "amqp.key_file"),
              "amqp.certificate_file and amqp.key_file: one is set without the other");
    }
  }

  /// An address and a port have one listener.
  void ports() {
    struct Listener {
      const char* key;
      std::string host;
      std::uint16_t port;
    };
    std::vector<Listener> all{{"listen.port", config_.listen.address, config_.listen.port}};
    if (config_.lines.enabled) all.push_back({"lines.port", config_.lines.address, config_.lines.port});
    if (!config_.backend.key_file.empty())
      all.push_back({"backend.port", config_.backend.address, config_.backend.port});
    if (config_.console.enabled) all.push_back({"console.port", config_.console.address, config_.console.port});
    if (const auto at = parse_authority(config_.metrics.listen); at && at->port)
      all.push_back({"metrics.listen", at->host, *at->port});
    const auto everywhere = [](const std::string& host) { return host == "0.0.0.0" || host == "::"; };
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const Listener &first = all[j], &second = all[i];
        if (first.port == 0 || first.port != second.port) continue;
        if (first.host != second.host && !everywhere(first.host) && !everywhere(second.host)) continue;
        mistake(
            set_at(second.key, first.key),
            std::string(second.key) + ": " + std::to_string(second.port) + " is the port of " + first.key + " as well",
            "each listener needs its own port");
      }
    }
  }

  tl::expected<Config, ConfigErrors> done() {
    together();
    config_.places = std::move(set_at_);
    if (errors_.errors.empty()) return std::move(config_);
    errors_.rest = std::move(config_);
    return tl::unexpected(std::move(errors_));
  }

 private:
  void leave_alone(const std::string& variable, bool service_link, const std::string& hint) {
    const std::string why = service_link ? "a service link of Kubernetes or Docker" : hint;
    config_.ignored_variables.push_back(variable + (why.empty() ? "" : " (" + why + ")"));
  }
  void mistake(std::string where, std::string what, std::string hint = {}) {
    errors_.errors.push_back({std::move(what), std::move(where), std::move(hint)});
  }
  void file_mistake(std::string_view file, const toml::node& node, std::string what, std::string hint = {}) {
    in_file_.emplace_back(node.source().begin.line,
                          Error{std::move(what), place(file, node.source()), std::move(hint)});
  }
  /// Where the first of two keys was set, or else the second: the place to report when they conflict.
  std::string set_at(const std::string& first, const std::string& second) const {
    const auto found = set_at_.contains(first) ? set_at_.find(first) : set_at_.find(second);
    return found == set_at_.end() ? std::string() : found->second;
  }

  static std::string place(std::string_view name, const toml::source_region& region) {
    return std::string(name) + ":" + std::to_string(region.begin.line);
  }

  static std::string unknown_key(std::string_view section, std::string_view name) {
    return "unknown key '" + std::string(section) + "." + std::string(name) + "'";
  }

  void file_key(std::string_view file, const std::filesystem::path& folder, std::string_view section,
                std::string_view name, const toml::node& node) {
    const ConfigKey* const key = find_config_key(section, name);
    if (!key) return file_mistake(file, node, unknown_key(section, name), suggestion(name, key_names(section)));
    set_at_[key->full_name()] = place(file, node.source());
    auto value = from_toml(node);
    // The value has a type that no key has, so apply() could not name it.
    if (!value)
      value = key->type == ConfigKey::Type::list ? ConfigValue(false) : ConfigValue(std::vector<std::string>{});
    if (auto* path = key->type == ConfigKey::Type::path ? std::get_if<std::string>(&*value) : nullptr;
        path && !path->empty() && !folder.empty()) {
      *path = (folder / *path).lexically_normal().string();
    }
    if (auto* paths = key->paths ? std::get_if<std::vector<std::string>>(&*value) : nullptr; paths && !folder.empty()) {
      for (std::string& path : *paths) path = path.empty() ? path : (folder / path).lexically_normal().string();
    }
    if (const auto wrong = apply(config_, *key, *value)) file_mistake(file, node, key->full_name() + ": " + *wrong);
  }

  void text_key(const std::string& where, std::string_view section, std::string_view name, std::string_view text) {
    const ConfigKey* const key = find_config_key(section, name);
    if (!key) return mistake(where, unknown_key(section, name), suggestion(name, key_names(section)));
    set_at_[key->full_name()] = where;
    const auto value = value_from_text(*key, text);
    const auto wrong = value ? apply(config_, *key, *value) : std::optional(value.error());
    if (wrong) mistake(where, key->full_name() + ": " + *wrong);
  }

  Config config_;
  ConfigErrors errors_;
  // Mistakes by line, until the whole file has been read.
  std::vector<std::pair<std::uint32_t, Error>> in_file_;
  // By key: the source that set the value last.
  std::map<std::string, std::string> set_at_;
};

}  // namespace

std::string ConfigErrors::text() const {
  std::string out;
  for (const Error& error : errors) out += error.text() + "\n";
  return out;
}

tl::expected<Config, ConfigErrors> parse_config(std::string_view toml, std::string_view name,
                                                const ConfigSources& over) {
  Loader loader;
  loader.file(toml, name);
  loader.environment(over.environment);
  loader.overrides(over.overrides);
  return loader.done();
}

tl::expected<Config, ConfigErrors> load_config(const ConfigSources& sources) {
  if (sources.file.empty()) return parse_config("", "", sources);
  const auto text = read_text_file(sources.file, max_file_bytes);
  if (!text) return tl::unexpected(ConfigErrors{{text.error()}, {}});
  return parse_config(*text, sources.file, sources);
}

std::vector<std::pair<std::string, std::string>> config_environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && text.starts_with(environment_prefix))
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool has_password(std::string_view urls) {
  for (auto at = urls.find("://"); at != std::string_view::npos; at = urls.find("://", at + 3)) {
    const std::string_view authority = urls.substr(at + 3, urls.find_first_of("/ ,\"", at + 3) - at - 3);
    const auto user_ends = authority.rfind('@');
    if (user_ends != std::string_view::npos && authority.substr(0, user_ends).find(':') != std::string_view::npos)
      return true;
  }
  return false;
}

std::string ignored_variables_text(const Config& config) {
  constexpr std::size_t most = 20;
  const auto& all = config.ignored_variables;
  std::string out;
  for (std::size_t at = 0; at < std::min(all.size(), most); ++at) out += (at == 0 ? "" : ", ") + all[at];
  return all.size() > most ? out + " and " + std::to_string(all.size() - most) + " more" : out;
}

std::string config_json(const Config& config) {
  std::string out = "{";
  for (const auto& section : config_sections()) {
    out += (out.size() > 1 ? ",\n " : "\n ") + json::quoted(section.name) + ": {";
    bool first = true;
    for (const ConfigKey& key : config_keys()) {
      if (key.section != section.name || key.secret) continue;
      out += (first ? "" : ", ") + json::quoted(key.name) + ": " +
             to_toml(key.get(config));  // TOML and JSON write these values alike
      first = false;
    }
    out += "}";
  }
  return out + "\n}\n";
}

std::string config_for_edges(const Config& config) {
  std::string out;
  for (const auto& section : config_sections()) {
    if (section.for_meshd) continue;
    out += "[" + std::string(section.name) + "]\n";
    for (const ConfigKey& key : config_keys()) {
      if (key.section == section.name && !key.secret)
        out += std::string(key.name) + " = " + to_toml(key.get(config)) + "\n";
    }
  }
  return out;
}

std::string sample_config() {
  const Config defaults;
  std::string out =
      "# NuroPb gateway: every key, with its default. A key that is left out has that value.\n"
      "# Environment variables (NUROPB_LISTEN_PORT=8880) win over this file, --set listen.port=8880 over both.\n"
      "# Relative paths are relative to this file. Check it: nuropb-ctl --config FILE config check\n";
  for (const auto& section : config_sections()) {
    out += "\n# " + std::string(section.doc) + "\n[" + std::string(section.name) + "]\n";
    for (const ConfigKey& key : config_keys()) {
      if (key.section != section.name) continue;
      out += "# " + std::string(key.doc);
      if (key.type == ConfigKey::Type::integer)
        out += " " + std::to_string(key.minimum) + " to " + std::to_string(key.maximum) + ".";
      out += "\n" + std::string(key.name) + " = " + to_toml(key.get(defaults)) + "\n";
    }
  }
  return out;
}

}  // namespace nuropb
