#pragma once
// What an edge in an attacker's hands can try, by name: each file has the attacks on one thing.

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/hostile/attacker.hpp"

namespace nuropb::hostile {

using Arguments = std::vector<std::string>;
/// By an edge that has been attached.
using Attacks = std::map<std::string, std::function<void(Attacker&, const Arguments&)>>;
/// By whoever can reach meshd's socket: the path, the arguments.
using LoneAttacks = std::map<std::string, std::function<void(const std::string&, const Arguments&)>>;

Attacks on_memory();
Attacks on_records();
Attacks on_identities();
Attacks on_control_socket();
LoneAttacks without_attaching();

/// The one line of an attack that meshd has to bear.
void report(const nlohmann::json& what);

}  // namespace nuropb::hostile
