// A client's message on /ws: through the edge's decoder, the record, and a service in meshd.
#include "edge/protocol/snorky_message.hpp"
#include "meshd/snorky/hub.hpp"
#include "meshd/snorky/value.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

namespace {

class Nobody final : public snorky::Outlet {
 public:
  bool notify(const snorky::Sessions&, std::string_view frame) override {
    fuzz::must(!json::validate(frame, nullptr, {80}), "every notification is JSON");
    return true;
  }
  void tell_peers(std::string_view service, std::string_view body) override {
    fuzz::must(!json::validate(snorky::Hub::encode_peer(service, body), nullptr, {80}), "what peers are told is JSON");
  }
};

snorky::Hub::Parts parts() {
  snorky::Hub::Parts out;
  using Kind = snorky::ServiceSettings::Kind;
  out.services.frontend = {{"pubsub", Kind::pub_sub, snorky::PubSubService::Publish::all, {}},
                           {"chat", Kind::chat, {}, {}},
                           {"messaging", Kind::messaging, {}, snorky::MessagingService::Names::any}};
  out.max_message = 1 << 20;
  out.json_depth = 64;
  out.channels_per_session = 50;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Nobody outlet;
  static snorky::Hub hub(parts(), outlet);
  const auto message = edge::decode_snorky(fuzz::text(data, size), {64});
  if (const auto* mistake = std::get_if<edge::SnorkyMistake>(&message)) {
    fuzz::must(
        !json::validate(edge::encode_snorky_error(mistake->service, mistake->call_id, mistake->text), nullptr, {80}),
        "every mistake is answered with JSON");
    hub.on_peer(fuzz::text(data, size));
    return 0;
  }
  const auto& request = std::get<edge::SnorkyRequest>(message);
  std::string record;
  records::encode(records::SnorkyCall{1, 2, false, request.service, request.command, request.call_id, request.params},
                  record);
  const auto decoded = records::decode<records::SnorkyCall>(record);
  fuzz::must(decoded.has_value(), "every call that is taken fits a record");
  const std::string once = snorky::canonical(request.params);
  fuzz::must(!json::validate(once), "the canonical text is JSON");
  fuzz::must(snorky::canonical(once) == once, "and stays what it is");

  int answers = 0;
  const snorky::SessionRef session{{1, 2}, 3, 4};
  const bool honest =
      hub.consumer_call(*decoded, {session, "ann", nullptr, {}}, [&](const snorky::ConsumerAnswer& answer) {
        ++answers;
        fuzz::must(!json::validate(answer.text, nullptr, {80}), "every answer is JSON");
        if (!answer.call.empty()) {
          const auto kept = edge::decode_snorky(answer.call, {64});
          fuzz::must(std::holds_alternative<edge::SnorkyRequest>(kept), "what the edge keeps, it can call again");
        }
      });
  fuzz::must(honest && answers == 1, "what the edge has taken is answered once");
  hub.on_session_closed(session);
  return 0;
}
