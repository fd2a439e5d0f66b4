#pragma once
// Attacks by a compromised edge, by name. Each file has the attacks on one aspect.

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/hostile/attacker.hpp"

namespace nuropb::hostile {

using Arguments = std::vector<std::string>;
/// For an attached edge.
using Attacks = std::map<std::string, std::function<void(Attacker&, const Arguments&)>>;
/// For any process that can reach meshd's socket: the path, the arguments.
using LoneAttacks = std::map<std::string, std::function<void(const std::string&, const Arguments&)>>;

Attacks on_memory();
Attacks on_records();
Attacks on_identities();
Attacks on_control_socket();
LoneAttacks without_attaching();

/// The output line of an attack that meshd has to survive.
void report(const nlohmann::json& what);

}  // namespace nuropb::hostile
