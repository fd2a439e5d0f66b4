#pragma once
// From the config file's words to the service container's.

#include <string>

#include "common/config.hpp"
#include "meshd/mesh/service_container.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::meshd {

/// Reads etcd.password_file. The container's configure() sets the broker up for `transport`.
Result<mesh::ServiceContainer::Settings> container_settings(const Config& config, const std::string& instance_id,
                                                            const mesh::TransportSettings& transport);

}  // namespace nuropb::meshd
