// nuropb-hostile-edge SOCKET ATTACK [ARGUMENT...]: one attack on meshd.
//
// Most end with our death by meshd's hand, which whoever started us sees as SIGKILL. Those that meshd has to bear print one
// line of JSON about what came of them, and end with 0. 3: it did not go as an attacker in possession of an edge can expect.

#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/hostile/attacks.hpp"

namespace nuropb::hostile {

void report(const nlohmann::json& what) { std::cout << what.dump() << std::endl; }

}  // namespace nuropb::hostile

int main(int argc, char** argv) {
  using namespace nuropb::hostile;
  if (argc < 3) {
    std::cerr << "usage: nuropb-hostile-edge SOCKET ATTACK [ARGUMENT...]\n";
    return 2;
  }
  const std::string path = argv[1], attack = argv[2];
  const Arguments arguments(argv + 3, argv + argc);
  const LoneAttacks alone = without_attaching();
  if (const auto found = alone.find(attack); found != alone.end()) {
    found->second(path, arguments);
    return 0;
  }
  for (const Attacks& attacks : {on_memory(), on_records(), on_identities(), on_control_socket()}) {
    const auto found = attacks.find(attack);
    if (found == attacks.end()) continue;
    Attacker edge(path);
    found->second(edge, arguments);
    return 0;
  }
  give_up("no such attack: " + attack);
}
