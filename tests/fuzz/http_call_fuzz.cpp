#include "common/messages.hpp"
#include "common/records.hpp"
#include "edge/http_calls/body_reader.hpp"
#include "edge/http_calls/call_answer.hpp"
#include "edge/http_calls/call_request.hpp"
#include "edge/protocol/client_message.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::edge;

namespace {

constexpr std::size_t most = 10'000;
const json::Limits limits{16, 100};

/// The message of a call is read as that call, whatever its body is.
void is_read_as(const CallRequest& call, std::string_view body) {
  const auto made = message_of(call, body, limits, most);
  if (const auto* const refused = std::get_if<HttpAnswer>(&made)) {
    fuzz::must(refused->status >= 400 && !json::validate(refused->body), "a refusal is a problem");
    return;
  }
  const auto& text = std::get<std::string>(made);
  fuzz::must(text.size() <= most, "a message is within its limit");
  const auto decoded = decode_client_message(text, limits);
  const auto* const request = std::get_if<ClientRequest>(&decoded);
  fuzz::must(request != nullptr, "the message of a call is valid");
  const bool event = call.verb == records::Type::event;
  fuzz::must(request->verb == call.verb, "it has the verb of the path");
  fuzz::must((event ? request->topic : request->service) == call.service, "it has the service or topic of the path");
  fuzz::must(event ? request->service.empty() : request->topic.empty(), "and nothing else");
  const bool has_method = call.verb == records::Type::request || call.verb == records::Type::command;
  fuzz::must(!has_method || request->method == call.method, "it has the method of the path");
  fuzz::must(request->trace_id == json::quoted(call.id), "it has the id that the response is known by");
  fuzz::must(request->ttl_ms.has_value() == call.ttl_ms.has_value(), "it waits if the request says how long");
  fuzz::must(request->traceparent == call.traceparent, "it has the parent of the head");
  fuzz::must(call.targets.empty() == (request->target == "null"), "it is addressed as the query says");
  fuzz::must(!request->idempotent && request->token.empty() && !request->ack, "a body adds nothing to it");
  fuzz::must(request->params.empty() || body.find(request->params) != std::string_view::npos ||
                 request->params == "{}" || request->params == "null",
             "its params are the body");
}

void is_an_answer(std::string_view text, std::string_view id) {
  for (const bool returns_result : {true, false}) {
    const auto answer = answer_of(text, id, returns_result);
    if (!answer) continue;
    fuzz::must(answer->status == 200 || answer->status == 202 || answer->status >= 400, "an answer has its status");
    fuzz::must(answer->status < 400 || !json::validate(answer->body), "a problem is JSON");
    fuzz::must(answer->status != 202 || answer->body.empty(), "what is accepted has no body");
    for (const auto& [name, value] : answer->headers)
      fuzz::must(value.find_first_of("\r\n") == std::string::npos, "nothing of an answer gets into a header");
  }
}

/// The bytes as an answer, and as the parts of one.
void answers(std::string_view text) {
  is_an_answer(text, "t");
  const std::string_view id = text.substr(0, text.find('\n'));
  is_an_answer(text.substr(std::min(text.size(), id.size() + 1)), id);
  if (json::validate(text)) return;
  std::string out;
  for (const bool as_error : {true, false}) {
    encode_response(out, "\"t\"", as_error ? "null" : text, as_error ? text : "null");
    fuzz::must(answer_of(out, "t", true).has_value(), "whatever a service answers, the call has a response");
    fuzz::must(!answer_of(out, "u", true), "and no other one has");
    is_an_answer(out, "t");
  }
}

struct Read {
  BodyReader::What what;
  std::string body, left;
};
Read take(const RequestHead& head, std::string_view bytes, std::size_t step) {
  BodyReader reader(head, most);
  std::string received;
  auto what = BodyReader::What::incomplete;
  for (std::size_t at = 0; what == BodyReader::What::incomplete;) {
    received.append(bytes.substr(at, step));
    at = std::min(bytes.size(), at + step);
    what = reader.take(received);
    if (what != BodyReader::What::incomplete) received.append(bytes.substr(at));
    else if (at == bytes.size()) break;
  }
  const bool complete = what == BodyReader::What::complete;
  fuzz::must(reader.size() <= most, "a body is within its limit");
  std::string body = complete ? reader.body() : std::string();
  return {what, std::move(body), complete ? std::move(received) : std::string()};
}

void requests(std::string_view text) {
  const RequestHead head = parse_request_head(text, {2000, 4000, 20, most});
  if (head.what != RequestHead::What::complete) return;
  const std::string_view rest = text.substr(head.length);
  const Read whole = take(head, rest, most), bytewise = take(head, rest, 1);
  fuzz::must(whole.what == bytewise.what, "a body ends the same in pieces");
  fuzz::must(whole.body == bytewise.body && whole.left == bytewise.left, "and is the same");

  const auto read = read_call(head);
  if (const auto* const refused = std::get_if<HttpAnswer>(&read)) {
    fuzz::must(refused->status >= 400 && !json::validate(refused->body), "a refusal is a problem");
    return;
  }
  const auto& call = std::get<CallRequest>(read);
  fuzz::must(!call.service.empty() && call.service.size() <= records::max_name, "a service has a name");
  fuzz::must(call.method.size() <= records::max_name, "a name is bounded");
  fuzz::must(!call.id.empty() && call.id.find_first_of("\r\n\"\\ ") == std::string::npos, "an id can be repeated");
  is_read_as(call, whole.body);
  is_read_as(call, rest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  requests(text);
  answers(text);
  return 0;
}
