#pragma once
// Converts the config into the transport's settings.

#include <string>

#include "common/config.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

Result<mesh::TransportSettings> transport_settings(const Config& config, const std::string& instance_id);

}  // namespace nuropb::meshd
