#include <common/error_names.hpp>
#include <iostream>
#include <meshd/mesh/api.hpp>
#include <meshd/mesh/settings.hpp>
#include <thread>

namespace mesh = nuropb::mesh;
namespace error_name = nuropb::error_name;
using nlohmann::json;

json claims_of(const std::string& token) {
  if (token == "token-of-ann") return {{"sub", "ann"}};
  throw mesh::CallError(error_name::authentication, "nobody has this token");
}

void add_methods(mesh::ServiceHost& host) {
  // Arguments are checked before it runs, and so is who calls. Its event goes out if it succeeds, and only then.
  host.method("place",
              {.description = "Places an order",
               .parameters = {{"item", "string"}, {"count", "integer", false, "how many", 1}},
               .authorize = claims_of},
              [](const mesh::Call& call) -> json {
                if (call.params["count"] > 100) throw mesh::CallError(error_name::validation, "100 at most");
                call.publish_event("orders.placed", {{"item", call.params["item"]}, {"by", call.claims["sub"]}});
                return {{"placed", call.params["count"]}};
              });

  // Takes its time: the answer is given later, from any thread, and the service goes on meanwhile.
  host.async_method("quote", {.parameters = {{"item", "string"}}}, [](mesh::Call call, mesh::Reply reply) {
    std::thread([item = call.params["item"], held = std::make_shared<mesh::Reply>(std::move(reply))] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      held->result({{"item", item}, {"price", 12}});
    }).detach();
  });

  // Put back to be tried once more, here or by another instance.
  host.method("ship", {}, [](const mesh::Call& call) -> json {
    if (!call.redelivered) throw mesh::CallAgain("the printer is busy");
    return "shipped";
  });

  // Refused unless it came encrypted for this service's key, and answered in the same way.
  host.method("pay", {.parameters = {{"card", "string"}}, .requires_encryption = true},
              [](const mesh::Call&) { return "paid"; });

  host.on_event([](const mesh::Event& event) { std::cout << event.topic << ' ' << event.payload << std::endl; });
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto settings = mesh::service_settings(argv[1], "orders");
  auto key = mesh::PrivateKey::load_or_create(argv[2]);
  if (!settings || !key) return 2;
  settings->prefetch = 50;                  // calls on their way at a time
  settings->event_bindings = {"orders.#"};  // what on_event gets

  mesh::ServiceHost host("orders", "1.0", "Takes orders");
  host.use_key(*key);
  add_methods(host);
  mesh::Api api(*settings);
  api.serve(host);
  if (const auto started = api.start(); !started) {
    std::cerr << started.error().text() << '\n';
    return 1;
  }
  std::cout << "ready" << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {}  // until its input ends; the mesh has a thread of its own
}
