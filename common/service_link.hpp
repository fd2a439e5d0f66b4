#pragma once
// Variables that Kubernetes and Docker put into every container for the services beside it ("service links"): of a Service
// called nuropb-gateway they begin as ours do. Pure.

#include <string_view>

namespace nuropb {

/// By its name: …_SERVICE_HOST, …_SERVICE_PORT, …_SERVICE_PORT_HTTP, …_PORT_8880_TCP, …_PORT_8880_TCP_ADDR; or by its value,
/// which is what a …_PORT has: tcp://10.0.0.1:8880. `name` in any case.
bool is_service_link(std::string_view name, std::string_view value);
/// By its value alone, for a name that is one of our settings, too.
bool is_service_link_value(std::string_view value);

}  // namespace nuropb
