#include "meshd/snorky/services_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/records.hpp"
#include "common/text_file.hpp"

namespace nuropb::meshd::snorky {
namespace {

constexpr std::size_t max_services_file_bytes = 1U << 20;
constexpr std::array<std::string_view, 3> kinds{"pubsub", "messaging", "chat"};
constexpr std::array<std::string_view, 3> publishers{"all", "backend", "policy"};
constexpr std::array<std::string_view, 2> name_rules{"user", "any"};

/// Reads one file and remembers the first mistake.
class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}
  std::optional<Error> mistake;

  void wrong(const toml::node& node, std::string what, std::string hint = {}) {
    if (!mistake)
      mistake = Error{std::move(what), name_ + ":" + std::to_string(node.source().begin.line), std::move(hint)};
  }
  std::string text(const toml::node& node, const std::string& key) {
    const auto value = node.value_exact<std::string>();
    if (!value) wrong(node, "'" + key + "' is not a string");
    return value.value_or("");
  }
  template <class Choice, std::size_t N>
  Choice choice(const toml::node& node, const std::string& key, const std::array<std::string_view, N>& words) {
    const std::string word = text(node, key);
    const auto found = std::find(words.begin(), words.end(), word);
    if (found != words.end()) return static_cast<Choice>(found - words.begin());
    std::string all;
    for (const auto one : words) all += (all.empty() ? "" : ", ") + std::string(one);
    wrong(node, "'" + key + "' is not one of " + all);
    return Choice{};
  }
  /// Calls `work` for each service's table.
  template <class Work>
  void services(const toml::node& side, const std::string& side_name, Work&& work) {
    const toml::table* const table = side.as_table();
    if (!table) return wrong(side, side_name + " is not a table", "write [" + side_name + ".NAME]");
    for (auto&& [key, node] : *table) {
      const std::string name(key.str());
      const toml::table* const entry = node.as_table();
      if (!entry) wrong(node, "'" + name + "' is not a table", "write [" + side_name + "." + name + "]");
      else if (name.empty() || name.size() > records::max_name)
        wrong(node, "the name of a service is empty, or longer than 255 bytes");
      else if (name == gateway_service) wrong(node, "'gateway' is the gateway's own service");
      else work(name, *entry);
    }
  }

 private:
  std::string name_;
};

}  // namespace

Services default_services() {
  return {{{"pubsub", ServiceSettings::Kind::pub_sub, PubSubService::Publish::backend, MessagingService::Names::user}},
          {{"pubsub_backend", "pubsub"}}};
}

Result<Services> parse_services(std::string_view text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return failure("not TOML: " + std::string(e.description()), name + ":" + std::to_string(e.source().begin.line));
  }
  Reader reader(name);
  Services out;
  const auto frontend = [&](const std::string& service, const toml::table& table) {
    ServiceSettings settings;
    settings.name = service;
    const toml::node* const kind = table.get("kind");
    if (!kind) return reader.wrong(table, "the service has no 'kind'", "pubsub, messaging, chat");
    settings.kind = reader.choice<ServiceSettings::Kind>(*kind, "kind", kinds);
    for (auto&& [key, node] : table) {
      if (key.str() == "kind") continue;
      if (key.str() == "publish" && settings.kind == ServiceSettings::Kind::pub_sub)
        settings.publish = reader.choice<PubSubService::Publish>(node, "publish", publishers);
      else if (key.str() == "names" && settings.kind == ServiceSettings::Kind::messaging)
        settings.names = reader.choice<MessagingService::Names>(node, "names", name_rules);
      else
        reader.wrong(node, "unknown key '" + std::string(key.str()) + "' of this kind of service",
                     "pubsub has publish, messaging has names");
    }
    out.frontend.push_back(std::move(settings));
  };
  const auto backend = [&](const std::string& service, const toml::table& table) {
    BackendSettings settings{service, {}};
    for (auto&& [key, node] : table) {
      if (key.str() == "kind") (void)reader.choice<int>(node, "kind", std::array<std::string_view, 1>{"pubsub"});
      else if (key.str() == "frontend") settings.frontend = reader.text(node, "frontend");
      else reader.wrong(node, "unknown key '" + std::string(key.str()) + "'", "kind, frontend");
    }
    const auto same = [&](const ServiceSettings& one) {
      return one.name == settings.frontend && one.kind == ServiceSettings::Kind::pub_sub;
    };
    if (std::none_of(out.frontend.begin(), out.frontend.end(), same))
      reader.wrong(table, "'frontend' names no frontend service of kind pubsub");
    out.backend.push_back(std::move(settings));
  };
  for (auto&& [key, node] : root) {
    if (key.str() != "frontend" && key.str() != "backend")
      reader.wrong(node, "unknown key '" + std::string(key.str()) + "'",
                   "[frontend.NAME] and [backend.NAME] stand here");
  }
  if (const auto* side = root.get("frontend")) reader.services(*side, "frontend", frontend);
  if (const auto* side = root.get("backend")) reader.services(*side, "backend", backend);
  if (reader.mistake) return tl::unexpected(*reader.mistake);
  return out;
}

Result<Services> load_services(const std::string& file) {
  const auto text = read_text_file(file, max_services_file_bytes);
  if (!text) return failure(text.error().what, text.error().where, "snorky.services_file names it");
  return parse_services(*text, file);
}

}  // namespace nuropb::meshd::snorky
