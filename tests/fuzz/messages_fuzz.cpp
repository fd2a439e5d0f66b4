#include "common/messages.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text(data, size);
  if (const auto call = decode_call(text, MessageType::request)) {
    const std::string again = encode_call(MessageType::request, *call);
    const auto back = decode_call(again, MessageType::request);
    fuzz::must(back && back->service == call->service && back->params == call->params, "a request goes there and back");
  }
  if (const auto event = decode_event(text)) {
    const std::string again = encode_event(*event);
    fuzz::must(decode_event(again).has_value(), "an event goes there and back");
  }
  if (const auto response = decode_response(text)) {
    const std::string again = encode_response(*response);
    const auto back = decode_response(again);
    fuzz::must(back && back->result == response->result && back->error == response->error, "a response goes there and back");
  }
  return 0;
}
