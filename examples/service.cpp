// A service of the mesh in C++: takes orders, and publishes an event for each.
//
//   service AMQP_URL [SERVICE]
#include <atomic>
#include <common/error_names.hpp>
#include <csignal>
#include <iostream>
#include <meshd/mesh/api.hpp>
#include <meshd/mesh/settings.hpp>

namespace mesh = nuropb::mesh;
using nlohmann::json;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string name = argc > 2 ? argv[2] : "orders";
  const auto settings = mesh::service_settings(argv[1], name);
  if (!settings) {
    std::cerr << settings.error().text() << '\n';
    return 2;
  }

  std::atomic<int> numbers = 0;
  mesh::ServiceHost host(name, "1.0", "Takes orders");
  host.method("place",
              {.description = "Places an order",
               .parameters = {{"item", "string"}, {"count", "integer", false, "how many", 1}}},
              [&](const mesh::Call& call) -> json {
                const json count = call.params.value("count", json(1));
                if (count > 100) throw mesh::CallError(nuropb::error_name::validation, "100 at most");
                const json order = {{"number", ++numbers}, {"item", call.params["item"]}, {"count", count}};
                call.publish_event(name + ".placed", order);  // goes out with the result, and only then
                return order;
              });

  // Blocked before the service's threads begin, so that only sigwait() gets them.
  sigset_t ends;
  sigemptyset(&ends);
  for (const int end : {SIGINT, SIGTERM}) sigaddset(&ends, end);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  mesh::Api api(*settings);
  api.serve(host);
  if (!api.start()) return 1;
  std::cout << "ready" << std::endl;
  int end = 0;
  sigwait(&ends, &end);
}
