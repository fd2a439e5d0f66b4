// A caller built on mesh::Api, for the tests beside it: reads calls from stdin, one JSON object a line, makes them one
// after the other, and prints the outcome of each as one line of JSON.
//
//   interop_mesh_client AMQP_URL
//
//   {"service":S,"method":M,"params":{},"encryption":"automatic"|"always"|"never","ttl":ms,"context":{},"trace_id":T,
//    "priority":N,"command":true?}  |  {"describe":S,"refresh":true?}  |  {"requires_encryption":[S,M]}
//   {"has_public_key":S}  |  {"event":TOPIC,"payload":any,"target":[]?}

#include <iostream>

#include "common/ids.hpp"
#include "meshd/mesh/api.hpp"

namespace mesh = nuropb::mesh;
using nlohmann::json;

namespace {

mesh::CallOptions options_of(const json& call) {
  mesh::CallOptions options;
  options.ttl = std::chrono::milliseconds(call.value("ttl", 30'000));
  options.context = call.value("context", json::object());
  options.trace_id = call.value("trace_id", "");
  if (call.contains("priority")) options.priority = call["priority"].get<std::uint8_t>();
  const std::string encryption = call.value("encryption", "automatic");
  options.encryption = encryption == "always"  ? mesh::Encryption::always
                       : encryption == "never" ? mesh::Encryption::never
                                               : mesh::Encryption::automatic;
  options.target = call.value("target", json());
  return options;
}

template <class Value>
json outcome(const tl::expected<Value, mesh::ServiceError>& answer) {
  if (answer) return {{"result", *answer}};
  return {{"error", answer.error().name},
          {"description", answer.error().description},
          {"outcome_unknown", answer.error().outcome_unknown}};
}

json outcome(const nuropb::Result<void>& sent) {
  return sent ? json{{"result", nullptr}} : json{{"error", sent.error().text()}};
}

json make(mesh::Api& api, const json& call) {
  if (call.contains("describe")) return outcome(api.describe(call["describe"], call.value("refresh", false)).get());
  if (call.contains("requires_encryption"))
    return outcome(api.requires_encryption(call["requires_encryption"][0], call["requires_encryption"][1]).get());
  if (call.contains("has_public_key")) return outcome(api.has_public_key(call["has_public_key"]).get());
  if (call.contains("event")) return outcome(api.publish_event(call["event"], call["payload"], options_of(call)));
  const json params = call.value("params", json::object());
  if (call.value("command", false))
    return outcome(api.command(call["service"], call["method"], params, options_of(call)));
  return outcome(api.request(call["service"], call["method"], params, options_of(call)).get());
}

}  // namespace

int main(int argc, char** argv) {
  const auto url =
      argc == 2 ? nuropb::amqp::parse_url(argv[1]) : nuropb::failure("usage: interop_mesh_client AMQP_URL");
  if (!url) return std::cerr << url.error().text() << "\n", 2;
  mesh::TransportSettings settings;
  settings.urls = {*url};
  settings.service_name = "client";
  settings.instance_id = nuropb::random_hex32();
  settings.client_only = true;
  mesh::Api api(settings);
  if (const auto up = api.start(); !up) return std::cerr << up.error().text() << "\n", 1;
  for (std::string line; std::getline(std::cin, line);) std::cout << make(api, json::parse(line)).dump() << std::endl;
}
