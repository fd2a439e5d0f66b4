#include "meshd/snorky/gateway_service.hpp"

#include <nlohmann/json.hpp>

#include "meshd/operations.hpp"
#include "meshd/snorky/services_file.hpp"
#include "meshd/snorky/value.hpp"

namespace nuropb::meshd::snorky {
GatewayService::GatewayService(Pushes& pushes) : Service(std::string(gateway_service)), pushes_(pushes) {}

void GatewayService::call(const Call& call, const Answer& answer) {
  if (call.command.starts_with("send_to_")) return send(call, answer);
  return operate(call, answer);
}

void GatewayService::send(const Call& call, const Answer& answer) {
  json::Slice whom, message;
  Target target;
  bool bound = false;
  if (call.command == "send_to_all") {
    bound = bind(call.params, {{"message", &message}});
  } else if (call.command == "send_to_session") {
    bound = bind(call.params, {{"session_id", &whom}, {"message", &message}});
    const auto id = bound && whom.kind == json::Kind::string ? SessionId::from_hex(json::unescape(whom)) : std::nullopt;
    if (bound && !id) return answer(Outcome::failed("'session_id' is not 32 hexadecimal digits"));
    if (id) target = Target::one(*id);
  } else if (call.command == "send_to_users") {
    bound = bind(call.params, {{"user_ids", &whom}, {"message", &message}});
    const auto users = bound ? nlohmann::json::parse(whom.text, nullptr, false) : nlohmann::json();
    if (bound && !users.is_array()) return answer(Outcome::failed("'user_ids' is not a list"));
    std::vector<std::string> ids;
    for (const auto& user : users) {
      if (!user.is_string()) return answer(Outcome::failed("'user_ids' has an entry that is not a string"));
      ids.push_back(user.get<std::string>());
    }
    target = Target::users(std::move(ids));
  } else {
    return answer(Outcome::failed(text::unknown_command));
  }
  if (!bound) return answer(Outcome::failed(text::invalid_params));
  // The text is a slice of the caller's record; Pushes has sent it when it returns.
  const auto begun = pushes_.send(target, message.text, [answer](const meshd::Outcome& outcome) {
    Outcome out;
    out.data = to_json(outcome).dump();
    answer(std::move(out));
  });
  if (!begun) answer(Outcome::failed(begun.error().what));
}

void GatewayService::operate(const Call& call, const Answer& answer) {
  json::Slice whom, code, reason, cursor, limit;
  bool bound = false;
  if (call.command == "close_all") bound = bind(call.params, {}, {{"code", &code}, {"reason", &reason}});
  else if (call.command == "close_session")
    bound = bind(call.params, {{"session_id", &whom}}, {{"code", &code}, {"reason", &reason}});
  else if (call.command == "close_users")
    bound = bind(call.params, {{"user_ids", &whom}}, {{"code", &code}, {"reason", &reason}});
  else if (call.command == "sessions")
    bound = bind(call.params, {}, {{"user_id", &whom}, {"cursor", &cursor}, {"limit", &limit}});
  else return answer(Outcome::failed(text::unknown_command));
  if (!bound) return answer(Outcome::failed(text::invalid_params));
  const auto params = nlohmann::json::parse(call.params, nullptr, false);
  // A lone surrogate, which no id contains.
  if (params.is_discarded()) return answer(Outcome::failed(text::invalid_params));
  run_operation(pushes_, call.command, params, [answer](const Result<nlohmann::json>& result) {
    if (!result) return answer(Outcome::failed(result.error().what));
    Outcome out;
    out.data = result->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    answer(std::move(out));
  });
}

}  // namespace nuropb::meshd::snorky
