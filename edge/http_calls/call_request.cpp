#include "edge/http_calls/call_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/byte_order_mark.hpp"
#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "common/percent.hpp"
#include "common/same_letters.hpp"
#include "common/trace.hpp"
#include "common/trimmed.hpp"
#include "edge/http_calls/call_answer.hpp"
#include "edge/transport/line_reader.hpp"

namespace nuropb::edge {
namespace {

using records::Type;

constexpr std::size_t max_request_id = 128;
constexpr std::size_t envelope_depth = 2;  // a message is an object with its payload in it
constexpr std::uint64_t ms_per_s = 1000, longest_wait_s = std::uint64_t{1} << 40;

struct Place {
  std::string_view name, method;
  Type verb;
  std::size_t names;  ///< how many follow in the path
};
constexpr std::array<Place, 4> call_places{{{"call", "POST", Type::request, 2},
                                            {"command", "POST", Type::command, 2},
                                            {"event", "POST", Type::event, 1},
                                            {"services", "GET", Type::describe, 1}}};

HttpAnswer not_found(std::string_view why) { return problem(404, error_name::handling, why); }
HttpAnswer mistake(std::string_view why) { return problem(400, error_name::validation, why); }

HttpAnswer wrong_method(std::string_view allowed) {
  HttpAnswer out = problem(405, error_name::validation, "the method here is " + std::string(allowed));
  out.headers.emplace_back("Allow", std::string(allowed) + (allowed == "GET" ? ", HEAD, OPTIONS" : ", OPTIONS"));
  return out;
}

/// The next element of the path, decoded. Empty if it is malformed.
std::optional<std::string> take_segment(std::string_view& path) {
  const auto slash = path.find('/');
  auto out = percent_decode(path.substr(0, slash));
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return out;
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return out;
}

/// What a client prefers to wait, in seconds; 0: it does not say. Another preference, and one that is malformed, is ignored
/// (RFC 7240, section 2).
std::uint64_t preferred_wait(std::string_view prefer) {
  std::uint64_t out = 0;
  any_of_list(prefer, [&](std::string_view preference) {
    constexpr std::string_view name = "wait=";
    if (!same_letters(preference.substr(0, name.size()), name)) return false;
    const std::string_view seconds = preference.substr(name.size(), preference.find(';') - name.size());
    out = std::min(number_in(trimmed(seconds)).value_or(0), longest_wait_s);
    return out > 0;
  });
  return out;
}

/// The parameters of the query. Returns what is wrong with them; a name that has no meaning here is an error, or a
/// misspelled one would have no effect.
std::optional<HttpAnswer> read_query(std::string_view query, CallRequest& call) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (!value) return mistake("a parameter is not percent-encoded correctly");
    if (name == "ttl") {
      call.ttl_ms = number_in(*value);
      if (!call.ttl_ms) return mistake("'ttl' is not a whole number of milliseconds");
    } else if (name == "target" && call.verb == Type::event) {
      if (value->empty() || value->size() > records::max_user_id || !is_utf8(*value))
        return mistake("'target' is not a user id");
      call.targets.push_back(*value);
    } else {
      return mistake("there is no such parameter: " + std::string(name.substr(0, 64)));
    }
  }
  return {};
}

/// Text that can be repeated in a header, and in logs.
bool is_usable_id(std::string_view id) {
  return !id.empty() && id.size() <= max_request_id &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

std::variant<CallRequest, HttpAnswer> read_call(const RequestHead& head) {
  std::string_view path = head.path.substr(std::min<std::size_t>(1, head.path.size()));
  const auto name = take_segment(path);
  const auto* const place =
      std::find_if(call_places.begin(), call_places.end(), [&](const Place& one) { return name == one.name; });
  if (place == call_places.end()) return not_found("there is nothing at this path");
  const std::string_view method = head.method == "HEAD" ? "GET" : head.method;
  if (method != place->method) return wrong_method(place->method);

  CallRequest call;
  call.verb = place->verb;
  // JSON can't contain what is not UTF-8: append_quoted() would replace it, which is another name.
  for (std::string* const to : {&call.service, &call.method}) {
    if (place->names == 1 && to == &call.method) break;
    auto segment = take_segment(path);
    if (!segment || segment->empty() || segment->size() > records::max_name || !is_utf8(*segment))
      return not_found("the path names no " + std::string(to == &call.method ? "method" : "service or topic") +
                       " of 1 to 255 bytes of UTF-8");
    *to = std::move(*segment);
  }
  // Such methods never leave the gateway (docs/reference/protocol.md, Requests).
  if (call.method.starts_with('_')) return not_found("Unknown method " + call.method);
  if (!path.empty() || head.path.ends_with('/'))
    return not_found("the path has too many elements; a '/' in a name is written %2F");
  if (const std::uint64_t wait = preferred_wait(head.header("Prefer")); wait > 0) call.ttl_ms = wait * ms_per_s;
  if (auto wrong = read_query(head.query, call)) return std::move(*wrong);
  const std::string traceparent = head.header("traceparent");  // the result has views of it
  if (const auto parent = parse_traceparent(traceparent)) call.traceparent = parent->text();
  call.id = head.header("X-Request-Id");
  if (!is_usable_id(call.id)) call.id = random_hex32();
  return call;
}

std::variant<std::string, HttpAnswer> message_of(const CallRequest& call, std::string_view body, json::Limits limits,
                                                 std::size_t most) {
  body = without_byte_order_mark(body);
  const bool none = body.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (none) body = call.verb == Type::event ? "null" : "{}";
  limits.max_depth -= std::min(limits.max_depth, envelope_depth);
  // By itself, so that a body can't end its member of the message and begin others.
  if (const auto wrong = json::validate(body, nullptr, limits))
    return mistake("the body is not JSON: " + wrong->text());
  if (!none && call.verb == Type::describe) return mistake("this request takes no body");

  std::string out;
  out.reserve(body.size() + call.service.size() + call.method.size() + 256);
  const auto member = [&](std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    json::append_quoted(out, value);
  };
  const bool event = call.verb == Type::event;
  out += event                         ? R"({"type":"event","payload":{"event":)"
         : call.verb == Type::command  ? R"({"type":"command","payload":{"params":)"
         : call.verb == Type::describe ? R"({"type":"describe","payload":{"params":)"
                                       : R"({"type":"request","payload":{"params":)";
  out += body;
  member(event ? "topic" : "service", call.service);
  if (!call.method.empty()) member("method", call.method);
  member("trace_id", call.id);
  if (!call.traceparent.empty()) member("traceparent", call.traceparent);
  if (call.ttl_ms) out.append(",\"ttl\":").append(std::to_string(std::min(*call.ttl_ms, longest_wait_s)));
  if (!call.targets.empty()) {
    out += ",\"target\":[";
    for (const std::string& user : call.targets) {
      json::append_quoted(out, user);
      out += ',';
    }
    out.back() = ']';
  }
  out += "}}";
  if (out.size() > most)
    return problem(413, error_name::validation,
                   "the request is larger than " + std::to_string(most) + " bytes (limits.message_bytes)");
  return out;
}

}  // namespace nuropb::edge
