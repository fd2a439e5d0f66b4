// Messages under the gateways' topic from another gateway, or from any other publisher on the mesh.

#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "meshd/pushes.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

/// Two edges that answer nothing, so that only messages of other gateways are processed.
struct NoEdges final : meshd::Pushes::Edges {
  void each(const std::function<void(meshd::WorkerId, meshd::SessionTable&)>& work) override { work({1, 1}, table); }
  void send(meshd::WorkerId, records::Type type, std::string payload) override {
    const bool good = type == records::Type::push ? records::decode<records::Push>(payload).has_value()
                                                  : records::decode<records::CloseSessions>(payload).has_value();
    fuzz::must(good, "what another gateway asks for becomes a record that edges can read");
  }
  void tick_soon() override {}
  meshd::SessionTable table{16};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = log::configure({"meshd", log::Level::error, log::Format::text, ""}).has_value();
  fuzz::must(quiet, "no line for each message");
  const auto text = fuzz::text(data, size);
  constexpr std::size_t largest = 64 * 1024;
  if (const auto message = meshd::Peers::decode(text, largest, 64)) {
    fuzz::must(!message->from.empty() && message->from.size() <= meshd::Peers::max_instance, "bounded names");
    fuzz::must(message->to.size() <= meshd::Peers::max_instance && message->kind.size() <= meshd::Peers::max_kind,
               "bounded names");
    fuzz::must(!json::validate(message->json, nullptr, {64}), "what it tells is JSON");
  }
  // The body as received, and the same text as an operation, a count, a question and a list of a live gateway.
  ManualClock clock;
  NoEdges edges;
  meshd::SessionIndex index;
  meshd::Peers peers({.service = "gateway", .instance = "ours", .largest = largest, .json_depth = 64}, clock,
                     [&](const std::string&, const std::string& body, SteadyTime) {
                       fuzz::must(meshd::Peers::decode(body, largest, 64).has_value(), "what we tell can be read");
                       return true;
                     });
  meshd::Pushes pushes({"ours", 4096, 16, 32, milliseconds(1000)}, clock, edges, index, peers);
  peers.connected();
  peers.receive(text);
  if (json::validate(text, nullptr, {32})) return 0;
  const auto says = [&](std::string_view kind) {
    const std::string event =
        R"({"from":"theirs","to":null,"kind":")" + std::string(kind) + R"(","message":)" + std::string(text) + "}";
    peers.receive(encode_event({peers.topic(), event, "{}", "c", "null", "null"}));
  };
  says("here");
  (void)pushes.count([](const meshd::SessionCount&) {});
  (void)pushes.list("@theirs", 10, {}, [](const Result<meshd::SessionPage>&) {});
  for (const char* kind : {"operation", "counted", "list", "listed"}) says(kind);
  clock.advance(std::chrono::seconds(2));
  pushes.tick();

  // With a key: only messages that we have sealed ourselves are accepted, and each of them once.
  static const auto keys =
      std::make_shared<meshd::PeerKeys>(meshd::PeerKeys::parse(std::string(32, 'k'), "keys").value());
  std::string sealed;
  meshd::Peers sender({.service = "gateway", .instance = "theirs", .largest = largest, .json_depth = 64, .keys = keys},
                      clock, [&](const std::string&, std::string body, SteadyTime) {
                        sealed = std::move(body);
                        return true;
                      });
  meshd::Peers strict({.service = "gateway", .instance = "ours", .largest = largest, .json_depth = 64, .keys = keys},
                      clock, [](const std::string&, const std::string&, SteadyTime) { return true; });
  std::size_t heard = 0;
  strict.on("word", [&](const std::string&, std::string_view) { ++heard; });
  strict.connected();
  strict.receive(text);
  fuzz::must(heard == 0 && strict.alive().empty(), "nobody without the key is believed");
  if (!sender.tell("word", text)) return 0;
  strict.receive(sealed);
  strict.receive(sealed);
  fuzz::must(heard == 1 && strict.refused() >= 1, "what was sealed is believed once");
  return 0;
}
