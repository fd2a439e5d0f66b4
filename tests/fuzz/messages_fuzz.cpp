#include "common/messages.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  for (const auto type : {MessageType::request, MessageType::command}) {
    const auto call = decode_call(text, type);
    if (!call) {
      fuzz::must(!call.error().what.empty(), "a refusal says why");
      continue;
    }
    const std::string again = encode_call(type, *call);
    const auto back = decode_call(again, type);
    fuzz::must(back && back->service == call->service && back->method == call->method && back->params == call->params &&
                   back->correlation_id == call->correlation_id && back->context == call->context &&
                   back->trace_id == call->trace_id,
               "a call goes there and back");
  }
  if (const auto event = decode_event(text)) {
    const std::string again = encode_event(*event);
    const auto back = decode_event(again);
    fuzz::must(back && back->topic == event->topic && back->event == event->event && back->context == event->context &&
                   back->trace_id == event->trace_id && back->correlation_id == event->correlation_id &&
                   back->target == event->target,
               "an event goes there and back");
  }
  if (const auto response = decode_response(text)) {
    const std::string again = encode_response(*response);
    const auto back = decode_response(again);
    fuzz::must(back && back->result == response->result && back->error == response->error &&
                   back->correlation_id == response->correlation_id && back->trace_id == response->trace_id &&
                   back->context == response->context && back->warning == response->warning &&
                   back->reply_to == response->reply_to,
               "a response goes there and back");
  }
  return 0;
}
