// The body of a backend's POST, with a valid key and without one.
#include "edge/protocol/snorky_message.hpp"
#include "meshd/snorky/hub.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::meshd;

namespace {

class Nobody final : public snorky::Outlet {
 public:
  int notified = 0;
  bool notify(const snorky::Sessions&, std::string_view) override {
    ++notified;
    return true;
  }
  void tell_peers(std::string_view, std::string_view) override { ++notified; }
};

snorky::Hub::Parts parts() {
  snorky::Hub::Parts out;
  out.services = snorky::default_services();
  out.keys = *snorky::BackendKeys::parse("[keys]\na = \"0123456789abcdef\"\n", "keys");
  out.max_message = 1 << 20;
  out.json_depth = 64;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Nobody outlet;
  static snorky::Hub hub(parts(), outlet);
  const auto message = edge::decode_snorky(fuzz::text(data, size), {64});
  const auto* const call = std::get_if<edge::SnorkyRequest>(&message);
  for (const std::string_view key : {std::string_view("0123456789abcdef"), fuzz::text(data, size).substr(0, 1024)}) {
    records::BackendCall backend_call{key, {}, {}, {}, {}};
    if (call) backend_call = {key, call->service, call->command, call->call_id, call->params};
    std::string record;
    records::encode(backend_call, record);
    const auto decoded = records::decode<records::BackendCall>(record);
    fuzz::must(decoded.has_value(), "every call that is taken fits a record");
    int answers = 0, status = 0;
    const int before = outlet.notified;
    const bool honest = hub.backend_call(*decoded, [&](const snorky::HttpAnswer& answer) {
      ++answers;
      status = answer.status;
      fuzz::must(answer.status == 204 || !json::validate(answer.text, nullptr, {80}), "every answer is JSON");
    });
    fuzz::must(honest && answers == 1, "every call is answered once");
    if (key != "0123456789abcdef")
      fuzz::must(status == 401 && outlet.notified == before, "nothing happens without a key");
  }
  return 0;
}
