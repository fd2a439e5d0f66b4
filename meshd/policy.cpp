#include "meshd/policy.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/glob.hpp"
#include "common/text_file.hpp"
#include "common/topic.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

constexpr std::array<std::string_view, 6> verbs{"request", "command", "describe", "event", "subscribe", "publish"};
constexpr std::size_t max_file_bytes = 1U << 20;
// Maximum number of shared rule selections; above it, unused ones are removed.
constexpr std::size_t most_known = 1024;

constexpr std::uint8_t bit(Use use) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(use)); }

bool any_globs(const Texts& patterns, std::string_view text) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return globs(pattern, text); });
}

/// A claim matches if it equals the wanted value, is a list that contains it, or the rule lists several values and one
/// matches.
bool claim_has(const json& claim, const json& wanted) {
  if (wanted.is_array())
    return std::any_of(wanted.begin(), wanted.end(), [&](const json& one) { return claim_has(claim, one); });
  if (claim.is_array()) return std::find(claim.begin(), claim.end(), wanted) != claim.end();
  return claim == wanted;
}

struct Rule {
  std::uint8_t verbs = 0;
  Texts users, roles, services, methods, topics, channels;
  json claims = json::object();

  [[nodiscard]] bool applies(Use use, std::string_view service, std::string_view method) const {
    return (verbs & bit(use)) && any_globs(services, service) &&
           (use == Use::describe || any_globs(use == Use::publish ? channels : methods, method));
  }
  /// Whether the rule has a condition on the user.
  [[nodiscard]] bool of_user() const { return !users.empty() || !roles.empty() || !claims.empty(); }
  [[nodiscard]] bool concerns(const Identity& identity, const json& has) const {
    if (!users.empty() || !roles.empty()) {
      const bool user = !users.empty() && any_globs(users, identity.user_id);
      const bool role = std::any_of(identity.roles.begin(), identity.roles.end(), [&](const auto& one) {
        return std::find(roles.begin(), roles.end(), one) != roles.end();
      });
      if (!user && !role) return false;
    }
    for (const auto& [name, wanted] : claims.items()) {
      const auto claim = has.find(name);
      if (claim == has.end() || !claim_has(*claim, wanted)) return false;
    }
    return true;
  }
};

}  // namespace

struct Policy::Rules {
  /// The rules that apply to an identity, shared by all sessions with the same selection, which are mostly all.
  using Concerns = std::pair<std::vector<const Rule*>, std::vector<const Rule*>>;
  mutable std::map<Concerns, std::weak_ptr<const Session::Concerned>> known;
  std::uint8_t everyone = bit(Use::request);
  std::vector<Rule> allow, deny, controller;
};

struct Policy::Session::Concerned {
  std::shared_ptr<const Rules> rules;  // keeps the rules alive that the pointers refer to
  std::vector<const Rule*> allow, deny;
};

namespace {

/// Reads one file and remembers the first mistake.
class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)) {}
  std::optional<Error> mistake;

  std::uint8_t use_bits(const toml::node& node, const std::string& key) {
    std::uint8_t out = 0;
    for (const std::string& verb : texts(node, key)) {
      const auto found = std::find(verbs.begin(), verbs.end(), verb);
      if (found == verbs.end())
        wrong(node, key + ": '" + verb + "' is not a verb", "request, command, describe, event, subscribe, publish");
      else out |= bit(static_cast<Use>(found - verbs.begin()));
    }
    return out;
  }

  Texts texts(const toml::node& node, const std::string& key) {
    Texts out;
    const toml::array* const list = node.as_array();
    if (!list) {
      wrong(node, key + " is not a list of strings");
      return out;
    }
    for (const auto& item : *list) {
      const auto text = item.value_exact<std::string>();
      if (!text || text->empty()) wrong(item, key + " has an entry that is empty or not a string");
      else out.push_back(*text);
    }
    if (list->empty() && key != "default") wrong(node, key + " is empty", "omit it to match all");
    return out;
  }

  json scalar_or_list(const toml::node& node, const std::string& key, bool inside = false) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return number->get();
    if (const auto* flag = node.as_boolean()) return flag->get();
    if (const auto* list = node.as_array(); list && !inside) {
      json out = json::array();
      for (const auto& item : *list) out.push_back(scalar_or_list(item, key, true));
      return out;
    }
    wrong(node, key + " is neither a text, a whole number, true or false, nor a list of them");
    return nullptr;
  }

  Rule rule(const toml::table& table) {
    Rule out;
    bool calls = false, services = false, topics = false, channels = false;
    for (const auto& [name, node] : table) {
      const std::string key(name.str());
      if (key == "verbs") out.verbs = use_bits(node, key);
      else if (key == "users") out.users = texts(node, key);
      else if (key == "roles") out.roles = texts(node, key);
      else if (key == "services") out.services = texts(node, key), services = true;
      else if (key == "methods") out.methods = texts(node, key), calls = true;
      else if (key == "topics") out.topics = texts(node, key), topics = true;
      else if (key == "channels") out.channels = texts(node, key), channels = true;
      else if (key == "claims") claims(node, out.claims);
      else wrong(node, "unknown key '" + key + "'", "verbs, users, roles, claims, services, methods, topics, channels");
    }
    if (out.verbs == 0) wrong(table, "a rule without verbs");
    // A rule that can never apply is a mistake of its author; one that grants more than it says is worse.
    const std::uint8_t of_topics = bit(Use::event) | bit(Use::subscribe);
    if (topics && (out.verbs & ~of_topics))
      wrong(table, "topics in a rule for request, command, describe or publish", "make it two rules");
    if ((calls || services) && (out.verbs & of_topics))
      wrong(table, "services or methods in a rule for event or subscribe", "make it two rules");
    if (calls && (out.verbs & bit(Use::publish))) wrong(table, "methods in a rule for publish", "make it two rules");
    if (channels && (out.verbs & ~bit(Use::publish)))
      wrong(table, "channels in a rule for another verb than publish", "make it two rules");
    for (const auto& topic : out.topics) {
      if (topic.size() > max_topic) wrong(table, "a topic is longer than 255 bytes");
    }
    return out;
  }

  /// `services` names callers here, not targets.
  Rule controller(const toml::table& table) {
    Rule out;
    for (const auto& [name, node] : table) {
      const std::string key(name.str());
      if (key == "methods") out.methods = texts(node, key);
      else if (key == "services") out.services = texts(node, key);
      else if (key == "users") out.users = texts(node, key);
      else if (key == "roles") out.roles = texts(node, key);
      else if (key == "claims") claims(node, out.claims);
      else wrong(node, "unknown key '" + key + "'", "methods, services, users, roles, claims");
    }
    // A missing condition never means everyone here, because these methods reach all clients.
    if (out.methods.empty()) wrong(table, "a controller rule without methods", "methods = [\"*\"] for all");
    if (out.services.empty() && out.users.empty() && out.roles.empty() && out.claims.empty()) {
      wrong(table, "a controller rule without a condition on the caller", "services, users, roles or claims");
    }
    return out;
  }

  void wrong(const toml::node& node, std::string what, std::string hint = {}) {
    if (!mistake)
      mistake = Error{std::move(what), name_ + ":" + std::to_string(node.source().begin.line), std::move(hint)};
  }

 private:
  void claims(const toml::node& node, json& out) {
    const toml::table* const table = node.as_table();
    if (!table) return wrong(node, "claims is not a table");
    for (const auto& [name, value] : *table)
      out[std::string(name.str())] = scalar_or_list(value, "claims." + std::string(name.str()));
  }
  std::string name_;
};

}  // namespace

Policy::Policy() : rules_(std::make_shared<Rules>()) {}

Result<Policy> Policy::parse(std::string_view text, const std::string& name) {
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return failure("not TOML: " + std::string(e.description()), name + ":" + std::to_string(e.source().begin.line));
  }
  auto rules = std::make_shared<Rules>();
  Reader reader(name);
  for (const auto& [key, node] : root) {
    if (key.str() == "default") {
      rules->everyone = reader.use_bits(node, "default");
    } else if (key.str() == "allow" || key.str() == "deny") {
      const toml::array* const list = node.as_array();
      if (!list || !list->is_homogeneous(toml::node_type::table))
        reader.wrong(node, std::string(key.str()) + " is not a list of tables",
                     "write [[" + std::string(key.str()) + "]]");
      else
        for (const auto& item : *list)
          (key.str() == "allow" ? rules->allow : rules->deny).push_back(reader.rule(*item.as_table()));
    } else if (key.str() == "controller") {
      const toml::array* const list = node.as_array();
      if (!list || !list->is_homogeneous(toml::node_type::table))
        reader.wrong(node, "controller is not a list of tables", "write [[controller]]");
      else
        for (const auto& item : *list) rules->controller.push_back(reader.controller(*item.as_table()));
    } else {
      reader.wrong(node, "unknown key '" + std::string(key.str()) + "'",
                   "default, [[allow]], [[deny]] and [[controller]] stand here");
    }
  }
  if (reader.mistake) return tl::unexpected(*reader.mistake);
  Policy out;
  out.rules_ = std::move(rules);
  return out;
}

Result<Policy> Policy::load(const std::string& file) {
  const auto text = read_text_file(file, max_file_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, file);
}

std::size_t Policy::size() const { return rules_->allow.size() + rules_->deny.size() + rules_->controller.size(); }

std::vector<std::string> Policy::topics() const {
  std::vector<std::string> out;
  for (const auto* rules : {&rules_->allow, &rules_->deny}) {
    for (const Rule& rule : *rules) out.insert(out.end(), rule.topics.begin(), rule.topics.end());
  }
  return out;
}

bool Policy::allows_controller(const ControllerCaller& caller, std::string_view method) const {
  const json parsed =
      caller.identity.claims.empty() ? json::object() : json::parse(caller.identity.claims, nullptr, false);
  const json claims = parsed.is_object() ? parsed : json::object();
  return std::any_of(rules_->controller.begin(), rules_->controller.end(), [&](const Rule& rule) {
    // An unknown service matches no pattern, not even `*`. A rule with services only applies to calls that services
    // make by themselves. A call that names a user may come from any client of a gateway with another service name: it
    // has that gateway's response queue, and so its service.
    const bool service =
        rule.services.empty() || (!caller.service.empty() && any_globs(rule.services, caller.service) &&
                                  (rule.of_user() || caller.identity.user_id.empty()));
    return service && any_globs(rule.methods, method) && rule.concerns(caller.identity, claims);
  });
}

Policy::Session Policy::for_identity(const Identity& identity) const {
  const json parsed = identity.claims.empty() ? json::object() : json::parse(identity.claims, nullptr, false);
  const json claims = parsed.is_object() ? parsed : json::object();
  Rules::Concerns concerns;
  for (const Rule& rule : rules_->allow) {
    if (rule.concerns(identity, claims)) concerns.first.push_back(&rule);
  }
  for (const Rule& rule : rules_->deny) {
    if (rule.concerns(identity, claims)) concerns.second.push_back(&rule);
  }
  Session out;
  if (rules_->known.size() > most_known)
    std::erase_if(rules_->known, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const Session::Concerned>& known = rules_->known[concerns];
  out.concerned_ = known.lock();
  if (!out.concerned_) {
    out.concerned_ =
        std::make_shared<const Session::Concerned>(Session::Concerned{rules_, concerns.first, concerns.second});
    known = out.concerned_;
  }
  return out;
}

bool Policy::Session::allows(Use use, std::string_view service, std::string_view method) const {
  if (!concerned_ || denies(use, service, method)) return false;
  return (concerned_->rules->everyone & bit(use)) ||
         std::any_of(concerned_->allow.begin(), concerned_->allow.end(),
                     [&](const Rule* rule) { return rule->applies(use, service, method); });
}

bool Policy::Session::denies(Use use, std::string_view service, std::string_view method) const {
  return concerned_ && std::any_of(concerned_->deny.begin(), concerned_->deny.end(),
                                   [&](const Rule* rule) { return rule->applies(use, service, method); });
}

bool Policy::Session::allows_topic(Use use, std::string_view topic) const {
  if (!concerned_) return false;
  const auto any = [&](const Rule* rule, auto&& judge) {
    return (rule->verbs & bit(use)) &&
           (rule->topics.empty() || std::any_of(rule->topics.begin(), rule->topics.end(), judge));
  };
  for (const Rule* rule : concerned_->deny) {
    if (any(rule, [&](const std::string& denied) { return topics_overlap(denied, topic); })) return false;
  }
  if (concerned_->rules->everyone & bit(use)) return true;
  return std::any_of(concerned_->allow.begin(), concerned_->allow.end(), [&](const Rule* rule) {
    return any(rule, [&](const std::string& granted) { return topic_covers(granted, topic); });
  });
}

}  // namespace nuropb::meshd
