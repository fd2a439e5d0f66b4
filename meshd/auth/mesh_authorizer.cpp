#include "meshd/auth/mesh_authorizer.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "common/error_names.hpp"
#include "common/json/scan.hpp"
#include "common/messages.hpp"
#include "meshd/auth/claims.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;
constexpr std::size_t max_answer = 64 * 1024;

}  // namespace

Verdict judge_mesh_answer(std::string_view raw_result, std::string_view raw_error) {
  if (raw_result.size() > max_answer || raw_error.size() > max_answer)
    return Verdict::later("the service's answer is larger than 64 KiB");
  const json error = json::parse(raw_error, nullptr, false), result = json::parse(raw_result, nullptr, false);
  if (error.is_object()) {
    const auto name = error.find("error");
    const std::string text = name != error.end() && name->is_string() ? name->get<std::string>() : "error";
    if (text == error_name::authentication || text == error_name::authorization)
      return Verdict::refuse("the service refuses it: " + text);
    return Verdict::later("the service answers with " + text.substr(0, 64));
  }
  if (!error.is_null() || result.is_discarded()) return Verdict::later("the service's answer is not a valid response");
  if (result.is_null() || (result.is_boolean() && !result.get<bool>()))
    return Verdict::pass("the service does not know it");
  auto identity = identity_of(result, {"user_id", "username", "roles", {"claims"}});
  if (!identity) return Verdict::refuse(identity.error().text());
  const auto claims = result.find("claims");
  if (claims != result.end() && claims->is_object()) identity->claims = claims->dump();
  else identity->claims.clear();
  if (const auto expires = result.find("expires"); expires != result.end() && !expires->is_null()) {
    const auto at = numeric_date(*expires);
    if (!at) return Verdict::refuse("'expires' is not a time");
    if (*at <= 0) return Verdict::refuse("it has expired");  // in an identity 0 means "never"
    identity->expires = *at;
  }
  return Verdict::accept(std::move(*identity));
}

void MeshAuthorizer::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer()) return answer(Verdict::pass());
  if (questions_.size() >= settings_.asked)
    return answer(Verdict::later("too many tokens are waiting to be checked (auth.queued)"));
  mesh::Outgoing out;
  out.type = MessageType::request;
  out.routing_key = settings_.service;
  out.correlation_id = "authorize-" + random_hex32();
  out.trace_id = random_hex32();
  out.deadline = clock_.now() + settings_.timeout;
  const std::string params = R"({"token":)" + nuropb::json::quoted(credential.token) + "}",
                    trace = nuropb::json::quoted(out.trace_id);
  CallBody body;
  body.service = settings_.service;
  body.method = settings_.method;
  body.params = params;
  body.correlation_id = out.correlation_id;
  body.trace_id = trace;
  out.body = encode_call(MessageType::request, body);
  const std::string id = out.correlation_id;
  const SteadyTime deadline = *out.deadline;
  questions_.emplace(id, Question{std::move(answer), credential.token, deadline});
  if (!send_ || !send_(std::move(out), settings_.method)) end(id, Verdict::later("the mesh can't be reached now"));
}

bool MeshAuthorizer::end(const std::string& correlation_id, Verdict verdict) {
  const auto found = questions_.find(correlation_id);
  if (found == questions_.end()) return false;
  const Question question = std::move(found->second);
  questions_.erase(found);
  if (verdict.accepted()) verdict.identity.token = question.token;
  question.answer(std::move(verdict));
  return true;
}

bool MeshAuthorizer::take(const mesh::Incoming& response) {
  if (!questions_.contains(response.correlation_id)) return response.correlation_id.starts_with("authorize-");
  const auto body = decode_response(response.body);
  return end(response.correlation_id, body ? judge_mesh_answer(body->result, body->error)
                                           : Verdict::later("the service's answer is not a valid response"));
}

bool MeshAuthorizer::take(const mesh::Report& report) {
  if (!report.correlation_id.starts_with("authorize-")) return false;
  if (report.outcome != mesh::Outcome::confirmed) {
    end(report.correlation_id, Verdict::later(report.outcome == mesh::Outcome::not_delivered
                                                  ? "service " + settings_.service + " is not on the mesh"
                                                  : "the request was not delivered: " + report.detail));
  }
  return true;
}

bool MeshAuthorizer::refused(const std::string& correlation_id, const std::string& why) {
  return end(correlation_id, Verdict::later(why)) || correlation_id.starts_with("authorize-");
}

void MeshAuthorizer::tick(SteadyTime now) {
  std::vector<std::string> late;
  for (const auto& [id, question] : questions_) {
    if (question.deadline <= now) late.push_back(id);
  }
  for (const std::string& id : late)
    end(id, Verdict::later("service " + settings_.service + " has not answered in time"));
}

}  // namespace nuropb::meshd
