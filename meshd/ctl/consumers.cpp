// nuropb-ctl sessions, send, kick: the gateway's own methods (meshd/operations.hpp) from the command line.

#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "common/ids.hpp"
#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

constexpr int no_session = 3;
constexpr const char* no_target = "missing target: use one of --session, --user, --all";
constexpr const char* handler_help = "Listener kind of the clients: websocket or lines";
constexpr const char* codes =
    "Exit codes: 0 done; 1 it could not be done, or not every edge and gateway answered; 2 wrong command or "
    "settings; 3 no such client is connected";

struct Sessions {
  std::string user, cursor;
  std::uint64_t limit = 100;
  bool count = false;
  std::string handler = "websocket";  ///< listener kind: common/handler_kinds.hpp
};

/// The target of send and kick: exactly one of the three.
struct Whom {
  std::string session;
  std::vector<std::string> users;
  bool all = false;
  std::string handler = "websocket";
};
struct Send {
  Whom whom;
  std::string message;  ///< JSON, or "-" for standard input
};
struct Kick {
  Whom whom;
  std::uint32_t code = 1000;
  std::string reason;
};

/// The operation's suffix and its parameter; empty unless exactly one target is set.
std::optional<std::pair<std::string, json>> target_of(const Whom& whom) {
  if ((whom.session.empty() ? 0 : 1) + (whom.users.empty() ? 0 : 1) + (whom.all ? 1 : 0) != 1) return {};
  if (whom.all) return std::pair("all", json::object());
  if (!whom.session.empty()) return std::pair("session", json{{"session_id", whom.session}});
  return std::pair("users", json{{"user_ids", whom.users}});
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
  return connections == 0 ? no_session : done;
}

/// "1 user", "2 users".
std::string counted_as(const json& counts, const char* plural) {
  const std::uint64_t count = number(counts, plural);
  std::string noun = plural;
  if (count == 1) noun.pop_back();
  return std::to_string(count) + " " + noun;
}

int sessions(const Invocation& invocation, const Sessions& options) {
  json params{{"limit", options.count ? 0 : options.limit}, {"cursor", options.cursor}, {"handler", options.handler}};
  if (!options.user.empty()) params["user_id"] = options.user;
  const auto answer = ask(invocation.config, "sessions", params);
  if (!answer) return fail(not_done, answer.error().text());
  const json counted = answer->value("count", json::object());
  if (invocation.json) {
    std::cout << written(*answer) << '\n';
  } else {
    for (const json& session : answer->value("sessions", json::array())) {
      const std::uint64_t edge = number(session, "edge");
      std::cout << text(session, "session_id") << "  " << text(session, "user_id") << "  "
                << (edge > ReturnAddress::max_slot ? "resumable" : "edge " + std::to_string(edge)) << "  gateway "
                << text(session, "gateway") << '\n';
    }
    std::cout << counted_as(counted, "sessions") << ", " << counted_as(counted, "users") << ", "
              << counted_as(counted, "gateways") << '\n';
    if (const std::string cursor = answer->value("cursor", std::string()); !cursor.empty())
      std::cout << "more: --cursor " << shown(cursor) << '\n';
  }
  const json unanswered = answer->value("unanswered", json::array());
  for (const json& gateway : unanswered) std::cerr << "gateway " << shown(gateway) << " did not answer in time\n";
  return unanswered.empty() ? done : not_done;
}

int send(const Invocation& invocation, const Send& options) {
  auto target = target_of(options.whom);
  if (!target) return fail(usage_mistake, no_target);
  const std::string text =
      options.message == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : options.message;
  const json message = json::parse(text, nullptr, false);
  if (message.is_discarded())
    return fail(usage_mistake,
                "the message is not JSON: " + text.substr(0, 80) + " (a text needs its quotes: '\"hello\"')");
  target->second["message"] = message;
  target->second["handler"] = options.whom.handler;
  return say(ask(invocation.config, "send_to_" + target->first, target->second), invocation.json, "took it");
}

int kick(const Invocation& invocation, const Kick& options) {
  auto target = target_of(options.whom);
  if (!target) return fail(usage_mistake, no_target);
  target->second["code"] = options.code;
  target->second["handler"] = options.whom.handler;
  target->second["reason"] = options.reason;
  return say(ask(invocation.config, "close_" + target->first, target->second), invocation.json, "closed");
}

void add_whom(CLI::App* command, Whom& whom) {
  command->add_option("--session", whom.session, "One session, by its id");
  command->add_option("--user", whom.users, "Every connection of this user, on every gateway; may be repeated")
      ->allow_extra_args(false);
  command->add_flag("--all", whom.all, "Everybody");
  command->add_option("--handler", whom.handler, handler_help)->capture_default_str();
}

}  // namespace

void add_consumer_commands(CLI::App& app, Invocation& invocation) {
  const auto listing = std::make_shared<Sessions>();
  CLI::App* const listed = app.add_subcommand(
      "sessions", "Lists the clients that are connected to the gateways of this service, with their number");
  listed->add_option("--user", listing->user, "Only sessions of this user");
  listed->add_option("--limit", listing->limit, "Sessions in a page")->check(CLI::Range(1, 1000));
  listed->add_option("--cursor", listing->cursor, "The cursor that the previous page ended with");
  listed->add_flag("--count", listing->count, "Prints only the number");
  listed->add_option("--handler", listing->handler, handler_help)->capture_default_str();
  runs(listed, invocation, sessions, listing);

  const auto sending = std::make_shared<Send>();
  CLI::App* const sent =
      app.add_subcommand("send", std::string("Sends a message to clients, on all gateways of this service\n") + codes);
  add_whom(sent, sending->whom);
  sent->add_option("message", sending->message, "JSON, sent as it is; - reads it from standard input")->required();
  runs(sent, invocation, send, sending);

  const auto kicking = std::make_shared<Kick>();
  CLI::App* const kicked = app.add_subcommand("kick", std::string("Closes connections of clients\n") + codes);
  add_whom(kicked, kicking->whom);
  kicked
      ->add_option("--code", kicking->code,
                   "1000, 1001, or 4000 to 4999: clients reconnect after 4000 to 4499, and do not after 4500 to 4999")
      ->capture_default_str();
  kicked->add_option("--reason", kicking->reason, "At most 123 bytes");
  runs(kicked, invocation, kick, kicking);
}

}  // namespace nuropb::ctl
