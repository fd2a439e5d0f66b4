#pragma once
// Detects environment variables that Kubernetes and Docker set in every container for the services beside it ("service
// links"). For a Service named nuropb-gateway they begin like our own variables. Pure.

#include <string_view>

namespace nuropb {

/// Detects a service link by its name: …_SERVICE_HOST, …_SERVICE_PORT, …_SERVICE_PORT_HTTP, …_PORT_8880_TCP,
/// …_PORT_8880_TCP_ADDR; or by its value, as for …_PORT: tcp://10.0.0.1:8880. The case of `name` does not matter.
bool is_service_link(std::string_view name, std::string_view value);
/// Detects a service link by its value alone, for a name that is also one of our settings.
bool is_service_link_value(std::string_view value);

}  // namespace nuropb
