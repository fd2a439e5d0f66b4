// A message of a service's queue: the first byte is its type, the rest is its body. Whatever it is, the service settles
// it once, and answers it once if it was a request.

#include <nlohmann/json.hpp>

#include "common/messages.hpp"
#include "meshd/mesh/service_host.hpp"
#include "meshd/mesh/transport_inbox.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using Verdict = mesh::TransportInbox::Verdict;

namespace {

mesh::ServiceHost& service() {
  static mesh::ServiceHost host("s", "1");
  static const bool once = [] {
    host.raw_method("echo", {.any_parameters = true}, [](std::string_view params) { return std::string(params); });
    host.method("typed",
                {.parameters = {{"i", "integer"},
                                {"s", "string", false, "", "x"},
                                {"o", "object", false},
                                {"a", "array", false},
                                {"n", "number", false},
                                {"b", "boolean", false}}},
                [](const mesh::Call& call) {
                  fuzz::must(
                      call.params["i"].is_number() && (call.params["s"].is_string() || call.params["s"].is_null()),
                      "arguments are as declared");
                  fuzz::must(call.context.is_object(), "a context is an object");
                  call.publish_event("t", call.params);
                  return call.params;
                });
    host.method("claims", {.authorize = [](const std::string& token) { return nlohmann::json(token); }},
                [](const mesh::Call& call) { return call.claims; });
    host.method("again", {.needs_context = true},
                [](const mesh::Call&) -> nlohmann::json { throw mesh::CallAgain("later"); });
    host.on_event([](const mesh::Event& event) {
      fuzz::must(event.context.is_object() && (event.target.is_null() || event.target.is_array()),
                 "an event's members are what they say");
      event.publish_event("t", event.payload);
    });
    return true;
  }();
  (void)once;
  return host;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  mesh::Incoming message;
  message.type = static_cast<MessageType>(data[0] % 3);  // responses never arrive here
  message.encrypted = (data[0] & 0x10) != 0 && message.type != MessageType::event;
  message.redelivered = (data[0] & 0x08) != 0;
  message.correlation_id = "c";
  message.trace_id = "t";
  message.reply_to = "q";
  message.body = fuzz::text(data + 1, size - 1);
  const MessageType type = message.type;

  const auto inbox = std::make_shared<mesh::TransportInbox>(std::size_t{64} << 20);
  service().handle(mesh::Transport::Sender(inbox), std::move(message));
  mesh::TransportInbox::Work work;
  inbox->take(work);
  fuzz::must(work.settlements.size() == 1, "a message is settled once");
  const Verdict verdict = work.settlements[0].verdict;
  std::size_t answers = 0;
  for (const auto& out : work.messages) {
    if (out.type == MessageType::event) {
      fuzz::must(verdict == Verdict::ack, "events of success only");
      fuzz::must(decode_event(out.body).has_value(), "an event that can be read");
      continue;
    }
    ++answers;
    const auto body = decode_response(out.body);
    fuzz::must(body.has_value() && out.correlation_id == "c" && out.routing_key == "q",
               "an answer that can be read, to the requester");
    fuzz::must((body->error == "null") == (verdict == Verdict::ack), "an error is rejected, a result acknowledged");
  }
  fuzz::must(answers == (type == MessageType::request && verdict != Verdict::requeue ? 1U : 0U),
             "a request is answered once, and nothing else is");
  return 0;
}
