#include <iostream>

#include <meshd/mesh/api.hpp>
#include <meshd/mesh/settings.hpp>

using namespace nuropb;

int main(int, char** argv) {
  const auto as_service = mesh::service_settings(argv[1], "calculator"), as_client = mesh::client_settings(argv[1]);
  if (!as_service || !as_client) return 2;

  mesh::ServiceHost host("calculator", "1.0", "Calculates");
  host.method("add", {.description = "Adds two numbers", .parameters = {{"a", "number"}, {"b", "number"}}},
              [](const mesh::Call& call) {
                call.publish_event("calculator.added", call.params);
                return call.params["a"].get<double>() + call.params["b"].get<double>();
              });
  mesh::Api service(*as_service), client(*as_client);
  service.serve(host);
  if (!service.start() || !client.start()) return 1;

  const mesh::Answer answer = client.request("calculator", "add", {{"a", 40}, {"b", 2}}).get();
  if (answer) std::cout << "40 + 2 = " << *answer << '\n';
  else std::cout << answer.error().name << ": " << answer.error().description << '\n';
  return answer ? 0 : 1;
}
