#pragma once
// `nuropb-ctl mesh …`: what is said to the broker without meshd, with the same settings.

#include <string>
#include <vector>

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {

struct MeshConfigure {
  std::string service;  ///< empty: gateway.service
  std::vector<std::string> rpc_bindings, event_bindings;
  std::string management_url;  ///< empty: amqp.management_url
  bool dry_run = false;
};

/// Does it and says on stdout what was done (docs/tasks/configure-the-mesh.md). The exit code: 0 all is there now; 1 it
/// could not be done; 2 the command or the settings are wrong; 3 (dry run) something is missing, or may be.
int mesh_configure(const Invocation& invocation, const MeshConfigure& what);

struct MeshCall {
  std::string service, method;
  std::string params = "{}";   ///< JSON, or "-": from standard input
  std::string context = "{}";  ///< JSON, as gateways send a consumer's
  std::uint32_t ttl_ms = 10'000;
};
/// 0 it answered; 1 it could not be asked, or there was no answer; 3 the service's answer is an error.
int mesh_call(const Invocation& invocation, const MeshCall& what);
int mesh_describe(const Invocation& invocation, const MeshCall& what);

}  // namespace nuropb::ctl
