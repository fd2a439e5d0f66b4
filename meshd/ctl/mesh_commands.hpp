#pragma once
// `nuropb-ctl mesh …`: commands that use the broker directly, without meshd, with the same settings.

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

/// Runs the command and prints what was done (docs/tasks/configure-the-mesh.md). Exit codes: 0 everything exists now; 1
/// it failed; 2 the command or the settings are wrong; 3 (dry run) something is or may be missing.
int mesh_configure(const Invocation& invocation, const MeshConfigure& what);

struct MeshCall {
  std::string service, method;
  std::string params = "{}";   ///< JSON, or "-" for standard input
  std::string context = "{}";  ///< JSON, in the form that gateways send for a client
  std::uint32_t ttl_ms = 10'000;
};
/// Exit codes: 0 a result; 1 the request could not be sent, or got no response; 3 the response is an error.
int mesh_call(const Invocation& invocation, const MeshCall& what);
int mesh_describe(const Invocation& invocation, const MeshCall& what);

}  // namespace nuropb::ctl
