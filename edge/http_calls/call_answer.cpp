#include "edge/http_calls/call_answer.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "common/close_codes.hpp"
#include "common/error_names.hpp"

namespace nuropb::edge {
namespace {

constexpr int unknown_outcome = 424;

/// `of_service`: the service itself has answered with this error, so the request has run.
int status_of(std::string_view error, std::string_view reason, bool unknown, bool of_service) {
  if (unknown) return unknown_outcome;
  if (error == error_name::authorization || error == error_name::authentication) return 403;
  if (error == error_name::validation || error == "JSONDecodeError" || error == "KeyError") return 400;
  if (of_service) return 502;
  if (error == error_name::transport) return reason == "limit" ? 429 : 503;
  if (error == error_name::timeout) return 504;
  if (error == error_name::not_delivered) return 404;
  return 502;
}

std::string text_of(json::Slice value) {
  if (value.kind == json::Kind::string) return json::unescape(value);
  return std::string(value.text);
}

/// The problem for an error as it is in an answer. Services may put any JSON there.
HttpAnswer problem_of_error(json::Slice raw, json::Limits limits, bool of_service) {
  std::array<json::Field, 4> fields{{{"error"}, {"description"}, {"outcome"}, {"reason"}}};
  const auto& [name, description, outcome, reason] = fields;
  if (raw.kind == json::Kind::object) (void)json::scan(raw.text, fields, nullptr, limits);
  const bool unknown = text_of(outcome.value) == "unknown";
  const std::string error = name.value.present() ? text_of(name.value) : std::string(error_name::exception);
  const std::string detail = description.value.present() ? text_of(description.value) : std::string(raw.text);
  return problem(status_of(error, text_of(reason.value), unknown, of_service), error, detail);
}

}  // namespace

HttpAnswer problem(int status, std::string_view error, std::string_view detail) {
  std::string body = R"({"type":"about:blank","title":)";
  json::append_quoted(body, reason_phrase(status));
  body += ",\"status\":" + std::to_string(status) + ",\"detail\":";
  json::append_quoted(body, detail);
  body += ",\"error\":";
  json::append_quoted(body, error);
  if (status == unknown_outcome) body += R"(,"outcome":"unknown")";
  HttpAnswer out{status, body + "}\n", {{"Content-Type", "application/problem+json"}}};
  if (status == 429 || status == 503) out.headers.emplace_back("Retry-After", "1");
  if (status == 401) out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

HttpAnswer problem_of(const HttpAnswer& refusal) {
  std::array<json::Field, 2> fields{{{"error"}, {"description"}}};
  const auto& [error, description] = fields;
  (void)json::scan(refusal.body, fields);
  HttpAnswer out = problem(refusal.status, text_of(error.value), text_of(description.value));
  for (const auto& header : refusal.headers) {
    if (header.first == "Content-Type") continue;
    const auto found = std::find_if(out.headers.begin(), out.headers.end(),
                                    [&](const auto& other) { return other.first == header.first; });
    if (found == out.headers.end()) out.headers.push_back(header);
    else found->second = header.second;
  }
  return out;
}

std::optional<HttpAnswer> answer_of(std::string_view text, std::string_view id, bool returns_result) {
  std::array<json::Field, 3> payload{{{"trace_id"}, {"result"}, {"error"}}};
  std::array<json::Field, 5> message{{{"payload", {}, payload}, {"trace_id"}, {"error"}, {"type"}, {"outcome"}}};
  json::Slice root;
  // No limits for clients apply: a service may answer what exceeds them, and its call needs a response, too.
  constexpr json::Limits limits{std::numeric_limits<std::size_t>::max()};
  if (json::scan(text, message, &root, limits) || root.kind != json::Kind::object) return {};
  const auto& [body, bare_id, bare_error, type, outcome] = message;
  const auto& [trace_id, result, error] = payload;
  const auto is_ours = [&](json::Slice value) {
    return value.kind == json::Kind::string && json::unescape(value) == id;
  };
  // A message that could not be accepted is answered without an envelope (docs/reference/protocol.md, Rejected messages).
  if (bare_error.value.present() && is_ours(bare_id.value)) return problem_of_error(root, limits, false);
  if (text_of(type.value) != "response" || !is_ours(trace_id.value)) return {};
  if (error.value.present() && error.value.kind != json::Kind::null)
    return problem_of_error(error.value, limits, text_of(outcome.value) == "error");
  if (!returns_result) return HttpAnswer{202, {}, {}};
  return HttpAnswer{200, std::string(result.value.text), {{"Content-Type", "application/json"}}};
}

HttpAnswer answer_of_close(std::uint16_t code, std::string_view reason, bool sent) {
  if (sent) {
    return problem(unknown_outcome, error_name::transport,
                   "the session has ended before the answer, and the call may have run: " + std::string(reason));
  }
  switch (code) {
    case close_code::token_refused:
    case close_code::token_expired:
    case close_code::revoked: return problem(401, error_name::authentication, reason);
    case close_code::too_many_connections:
    case close_code::rate_exceeded: return problem(429, error_name::transport, reason);
    case close_code::idle: return problem(408, error_name::timeout, reason);
    default: return problem(503, error_name::transport, reason);
  }
}

}  // namespace nuropb::edge
