#include "meshd/controller.hpp"

#include <memory>
#include <nlohmann/json.hpp>

#include "common/error_names.hpp"
#include "meshd/operations.hpp"

namespace nuropb::meshd {

using nlohmann::json;
using Parameters = std::vector<mesh::Parameter>;

bool is_a_gateway_of(const Config& config, const mesh::Call& call) {
  // Compares the beginning of the response queue's name: an instance's name may contain dashes, so the end is
  // ambiguous.
  const auto of = [&](const std::string& service) { return call.reply_to.starts_with("nuropb-" + service + "-"); };
  return of(config.gateway.service) || (config.lines.enabled && of(config.lines.service_name));
}

ControllerCaller controller_caller(const mesh::Call& call, const Config::Auth& keys) {
  ControllerCaller out;
  const auto member = [&](const json& object, const std::string& name) -> const json& {
    static const json none;
    const auto found = name.empty() || !object.is_object() ? object.end() : object.find(name);
    return found == object.end() ? none : *found;
  };
  if (const json& user = member(call.context, keys.context_user_key); user.is_string())
    out.identity.user_id = user.get<std::string>();
  const json& claims = member(call.context, keys.context_claims_key);
  if (claims.is_object()) out.identity.claims = claims.dump(-1, ' ', false, json::error_handler_t::replace);
  for (const json& roles : {member(claims, "roles"), member(call.context, "roles")}) {
    if (!roles.is_array()) continue;
    for (const json& role : roles) {
      if (role.is_string()) out.identity.roles.push_back(role.get<std::string>());
    }
  }
  // The queue is nuropb-<service>-<instance>-rq; instances of NuroPb services are hexadecimal, so the last dash ends
  // the service's name. A caller that is not a service has nuropb-<vhost>-client-<instance>-rq (nuropb-wire.md,
  // topology).
  std::string_view queue = call.reply_to;
  if (queue.starts_with("nuropb-") && queue.ends_with("-rq") && queue.size() > 10) {
    queue = queue.substr(7, queue.size() - 10);
    if (const auto dash = queue.rfind('-'); dash != std::string_view::npos) out.service = queue.substr(0, dash);
    if (out.service.ends_with("-client")) out.service.clear();
  }
  return out;
}

void add_controller_methods(mesh::ServiceHost& host, ControllerParts shared) {
  const auto parts = std::make_shared<ControllerParts>(std::move(shared));
  const auto add = [&](const std::string& name, const std::string& description, const Parameters& parameters) {
    host.async_method(name, {.description = description, .parameters = parameters},
                      [parts, name](mesh::Call call, mesh::Reply answer) {
                        const auto reply = std::make_shared<mesh::Reply>(std::move(answer));
                        parts->on_ring_loop([parts, name, reply, call = std::make_shared<mesh::Call>(std::move(call))] {
                          auto caller = controller_caller(*call, parts->config.auth);
                          // A call through one of our gateways comes from a client, not from the service.
                          if (is_a_gateway_of(parts->config, *call)) caller.service.clear();
                          if (!parts->policy().allows_controller(caller, name)) {
                            return reply->error(error_name::authorization,
                                                name + "(): this caller is not allowed to use it (policy)");
                          }
                          run_operation(parts->pushes, name, call->params, [reply](const Result<json>& result) {
                            if (result) reply->result(*result);
                            else reply->error(error_name::validation, result.error().text());
                          });
                        });
                      });
  };
  const mesh::Parameter message{"message", "any", true, "Any JSON; clients get it unchanged"};
  const mesh::Parameter session{"session_id", "string", true, "The session's id, as in the client's hello message"};
  const mesh::Parameter users{"user_ids", "array", true, "User ids; applies once to every connection of each"};
  const mesh::Parameter code{"code", "integer", false, "1000, 1001 or 4000 to 4999", 1000};
  const mesh::Parameter reason{"reason", "string", false, "At most 123 bytes", ""};
  const std::string sends = "Sends a message to ", closes = "Closes ";
  const std::string counted = ". Returns how many connections got it, and which gateways did not answer in time";
  const std::string ended = ". Returns how many connections were closed, and which gateways did not answer in time";
  add("send_to_session", sends + "one session" + counted, {session, message});
  add("send_to_users", sends + "all connections of some users" + counted, {users, message});
  add("send_to_all", sends + "all connections" + counted, {message});
  add("close_session", closes + "one session" + ended, {session, code, reason});
  add("close_users", closes + "all connections of some users" + ended, {users, code, reason});
  add("close_all", closes + "all connections" + ended, {code, reason});
  add("sessions", "Lists sessions of all gateways of this service, page by page, and counts them",
      {{"user_id", "string", false, "Only sessions of this user", nullptr},
       {"cursor", "string", false, "Where an earlier page ended; empty: the beginning", ""},
       {"limit", "integer", false, "Sessions in a page, at most 1000; 0: only count", 100}});
}

}  // namespace nuropb::meshd
