// nuropb-hostile-edge SOCKET ATTACK [ARGUMENT...]: one attack on meshd.
//
// Most attacks end with meshd killing this process, which its parent sees as SIGKILL. Attacks that meshd has to survive
// print one line of JSON with the result, and exit with 0. Exit code 3: the attack did not go as expected of a
// compromised edge.

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
