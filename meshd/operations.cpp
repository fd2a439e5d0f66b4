#include "meshd/operations.hpp"

#include <nlohmann/json.hpp>

namespace nuropb::meshd {
namespace {

using nlohmann::json;
using Done = std::function<void(const Result<json>&)>;

const json* find(const json& params, const char* name) {
  if (!params.is_object()) return nullptr;
  const auto found = params.find(name);
  return found == params.end() || found->is_null() ? nullptr : &*found;
}

Result<std::string> text_of(const json& params, const char* name, const char* otherwise) {
  const json* const value = find(params, name);
  if (!value) return otherwise;
  if (!value->is_string()) return failure("'" + std::string(name) + "' is not a string");
  return value->get<std::string>();
}

Result<std::uint64_t> number_of(const json& params, const char* name, std::uint64_t otherwise) {
  const json* const value = find(params, name);
  if (!value) return otherwise;
  // Written as an integer it may have come as a signed one.
  if (!value->is_number_integer() || (!value->is_number_unsigned() && value->get<std::int64_t>() < 0))
    return failure("'" + std::string(name) + "' is not a whole number");
  return value->get<std::uint64_t>();
}

Result<Target> target_of(std::string_view whom, const json& params) {
  if (whom == "all") return Target::everyone();
  if (whom == "session") {
    const auto text = text_of(params, "session_id", "");
    if (!text) return tl::unexpected(text.error());
    const auto id = SessionId::from_hex(*text);
    if (!id) return failure("'session_id' is not 32 hexadecimal digits");
    return Target::one(*id);
  }
  const json* const users = find(params, "user_ids");
  if (!users || !users->is_array()) return failure("'user_ids' is not a list");
  std::vector<std::string> ids;
  for (const json& user : *users) {
    if (!user.is_string()) return failure("'user_ids' has an entry that is not a string");
    ids.push_back(user.get<std::string>());
  }
  return Target::users(std::move(ids));
}

Result<void> send(Pushes& pushes, const Target& target, const json& params, Pushes::Done done) {
  const auto message = params.is_object() ? params.find("message") : params.end();
  if (message == params.end()) return failure("'message' is missing");
  return pushes.send(target, message->dump(-1, ' ', false, json::error_handler_t::replace), std::move(done));
}

Result<void> close(Pushes& pushes, const Target& target, const json& params, Pushes::Done done) {
  const auto code = number_of(params, "code", 1000);
  if (!code) return tl::unexpected(code.error());
  const auto reason = text_of(params, "reason", "");
  if (!reason) return tl::unexpected(reason.error());
  return pushes.close(target, static_cast<std::uint16_t>(std::min<std::uint64_t>(*code, 0xffff)), *reason,
                      std::move(done));
}

json to_json(const SessionPage& page) {
  json sessions = json::array();
  for (const SessionEntry& entry : page.sessions) {
    sessions.push_back({{"session_id", entry.session_id},
                        {"user_id", entry.user_id},
                        {"username", entry.username.empty() ? json(nullptr) : json(entry.username)},
                        {"gateway", entry.gateway},
                        {"edge", entry.edge}});
  }
  return {{"sessions", std::move(sessions)}, {"cursor", page.cursor}};
}

Result<void> sessions(Pushes& pushes, const json& params, const Done& done) {
  const auto limit = number_of(params, "limit", 100);
  if (!limit) return tl::unexpected(limit.error());
  const auto cursor = text_of(params, "cursor", "");
  if (!cursor) return tl::unexpected(cursor.error());
  const auto user = text_of(params, "user_id", "");
  if (!user) return tl::unexpected(user.error());
  const auto count = [&pushes, done](json out) {
    const auto begun = pushes.count([out, done](const SessionCount& counted) {
      json result = out;
      result["count"] = {{"sessions", counted.sessions}, {"users", counted.users}, {"gateways", counted.gateways}};
      result["unanswered"] = counted.unanswered;
      done(result);
    });
    if (!begun) done(tl::unexpected(begun.error()));
  };
  if (*limit == 0) {
    count(to_json(SessionPage{}));
    return {};
  }
  return pushes.list(*cursor, *limit, find(params, "user_id") ? std::optional(*user) : std::nullopt,
                     [count, done](const Result<SessionPage>& page) {
                       if (page) count(to_json(*page));
                       else done(tl::unexpected(page.error()));
                     });
}

}  // namespace

json to_json(const Outcome& outcome) {
  return {
      {"connections", outcome.connections}, {"unanswered", outcome.unanswered}, {"silent_edges", outcome.silent_edges}};
}

void run_operation(Pushes& pushes, std::string_view name, const json& params, Done done) {
  const auto shared = std::make_shared<Done>(std::move(done));
  const auto tell = [shared](const Result<json>& result) { (*shared)(result); };
  const auto counted = [tell](const Outcome& outcome) { tell(to_json(outcome)); };
  const bool sends = name.starts_with("send_to_"), closes = name.starts_with("close_");
  Result<void> begun = failure("unknown operation '" + std::string(name.substr(0, 64)) + "'");
  if (name == "sessions") {
    begun = sessions(pushes, params, tell);
  } else if (sends || closes) {
    const std::string_view whom = name.substr(sends ? 8 : 6);
    if (whom == "session" || whom == "users" || whom == "all") {
      const auto target = target_of(whom, params);
      if (!target) begun = tl::unexpected(target.error());
      else begun = sends ? send(pushes, *target, params, counted) : close(pushes, *target, params, counted);
    }
  }
  if (!begun) tell(tl::unexpected(begun.error()));
}

}  // namespace nuropb::meshd
