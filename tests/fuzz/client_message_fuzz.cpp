#include "edge/protocol/client_message.hpp"
#include "common/records.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = edge::decode_client_message(fuzz::text(data, size), {64});
  if (const auto* mistake = std::get_if<edge::ClientMistake>(&message)) {
    fuzz::must(!json::validate(edge::encode_mistake(*mistake)), "every mistake is answered with JSON");
    return 0;
  }
  const auto& request = std::get<edge::ClientRequest>(message);
  std::string record;
  if (request.verb == records::Type::resume) {
    fuzz::must(request.params.empty() || request.ack || !request.token.empty() || request.seq == 0,
               "who only asks to be kept has seen nothing");
  }
  records::encode(records::Request{1, 2, 3, request.service, request.method,
                                   request.trace_id.empty() ? "null" : request.trace_id, request.params},
                  record);
  fuzz::must(records::decode<records::Request>(record).has_value(), "every request that is taken fits a record");
  fuzz::must(request.params.empty() || !json::validate(request.params), "params are JSON");
  return 0;
}
