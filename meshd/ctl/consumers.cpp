#include "meshd/ctl/consumers.hpp"

#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "meshd/ctl/admin_client.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

constexpr int done = 0, not_done = 1, usage_mistake = 2, nobody = 3;

int fail(int code, const std::string& text) {
  std::cerr << text << '\n';
  return code;
}

std::string written(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<json> ask(const Config& config, const std::string& name, const json& params) {
  // Twice what meshd waits for others, for a page and its count, and a little for itself.
  const milliseconds patience(2 * config.push.timeout_ms + 5000);
  const auto text = operate(config.gateway.runtime_dir + "/admin.sock", name, written(params), patience);
  if (!text) return tl::unexpected(text.error());
  auto answer = json::parse(*text, nullptr, false);
  if (!answer.is_object()) return failure("meshd's answer can't be read");
  return answer;
}

/// The operation's last word and its parameter; nothing if it is not exactly one.
std::optional<std::pair<std::string, json>> target_of(const Whom& whom) {
  if ((whom.session.empty() ? 0 : 1) + (whom.users.empty() ? 0 : 1) + (whom.all ? 1 : 0) != 1) return {};
  if (whom.all) return std::pair("all", json::object());
  if (!whom.session.empty()) return std::pair("session", json{{"session_id", whom.session}});
  return std::pair("users", json{{"user_ids", whom.users}});
}

/// Users' names come from outside: nothing of them may move a terminal's cursor.
std::string shown(const json& value) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return "-";
  const std::string quoted = json(value).dump(-1, ' ', true, json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

int say(const Result<json>& answer, bool as_json, const char* what) {
  if (!answer) return fail(not_done, answer.error().text());
  const std::uint64_t connections = answer->value("connections", std::uint64_t{0});
  const json unanswered = answer->value("unanswered", json::array());
  const std::uint64_t silent = answer->value("silent_edges", std::uint64_t{0});
  if (as_json) std::cout << written(*answer) << '\n';
  else std::cout << connections << (connections == 1 ? " connection " : " connections ") << what << '\n';
  for (const json& gateway : unanswered) std::cerr << "gateway " << shown(gateway) << " did not answer in time\n";
  if (silent > 0) std::cerr << silent << " edges did not answer in time\n";
  if (!unanswered.empty() || silent > 0) return not_done;
  return connections == 0 ? nobody : done;
}

}  // namespace

int sessions(const Config& config, const Sessions& options) {
  json params{{"limit", options.count ? 0 : options.limit}, {"cursor", options.cursor}, {"handler", options.handler}};
  if (!options.user.empty()) params["user_id"] = options.user;
  const auto answer = ask(config, "sessions", params);
  if (!answer) return fail(not_done, answer.error().text());
  const json counted = answer->value("count", json::object());
  if (options.json) {
    std::cout << written(*answer) << '\n';
  } else {
    for (const json& session : answer->value("sessions", json::array())) {
      std::cout << shown(session["session_id"]) << "  " << shown(session["user_id"]) << "  edge " << session["edge"]
                << "  gateway " << shown(session["gateway"]) << '\n';
    }
    std::cout << counted.value("sessions", std::uint64_t{0}) << " sessions, "
              << counted.value("users", std::uint64_t{0}) << " users, " << counted.value("gateways", std::uint64_t{0})
              << " gateways\n";
    if (const std::string cursor = answer->value("cursor", std::string()); !cursor.empty())
      std::cout << "more: --cursor " << shown(cursor) << '\n';
  }
  const json unanswered = answer->value("unanswered", json::array());
  for (const json& gateway : unanswered) std::cerr << "gateway " << shown(gateway) << " did not answer in time\n";
  return unanswered.empty() ? done : not_done;
}

int send(const Config& config, const Send& options) {
  auto target = target_of(options.whom);
  if (!target) return fail(usage_mistake, "say whom: one of --session, --user, --all");
  const std::string text =
      options.message == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : options.message;
  const json message = json::parse(text, nullptr, false);
  if (message.is_discarded())
    return fail(usage_mistake,
                "the message is not JSON: " + text.substr(0, 80) + " (a text needs its quotes: '\"hello\"')");
  target->second["message"] = message;
  target->second["handler"] = options.whom.handler;
  return say(ask(config, "send_to_" + target->first, target->second), options.json, "took it");
}

int kick(const Config& config, const Kick& options) {
  auto target = target_of(options.whom);
  if (!target) return fail(usage_mistake, "say whom: one of --session, --user, --all");
  target->second["code"] = options.code;
  target->second["handler"] = options.whom.handler;
  target->second["reason"] = options.reason;
  return say(ask(config, "close_" + target->first, target->second), options.json, "closed");
}

}  // namespace nuropb::ctl
