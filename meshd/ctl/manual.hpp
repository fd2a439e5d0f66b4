#pragma once
// Manual pages (man macros) and shell completion, as text. Pure.

#include <string>

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string manual_of_commands(const CLI::App& app);  ///< nuropb-ctl(1)
std::string manual_of_gateway();                      ///< nuropb-gateway(7)
std::string manual_of_settings();                     ///< nuropb-gateway.toml(5)

}  // namespace nuropb::ctl
