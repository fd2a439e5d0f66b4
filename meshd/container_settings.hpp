#pragma once
// Converts the config into the service container's settings.

#include <string>

#include "common/config.hpp"
#include "meshd/mesh/service_container.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

/// Reads etcd.password_file. The container's configure() sets up the broker for `transport`.
Result<mesh::ServiceContainer::Settings> container_settings(const Config& config, const std::string& instance_id,
                                                            const mesh::TransportSettings& transport);

}  // namespace nuropb::meshd
