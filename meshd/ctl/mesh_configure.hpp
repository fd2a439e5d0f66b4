#pragma once
// `nuropb-ctl mesh configure`: the broker's set-up by hand (docs/tasks/configure-the-mesh.md).

#include <string>
#include <vector>

#include "common/config.hpp"

namespace nuropb::ctl {

struct MeshConfigure {
  std::string service;  ///< empty: gateway.service
  std::vector<std::string> rpc_bindings, event_bindings;
  std::string management_url;  ///< empty: amqp.management_url
  bool dry_run = false;
};

/// Does it and says on stdout what was done. The exit code: 0 all is there now; 1 it could not be done; 2 the command
/// or the settings are wrong; 3 (dry run) something is missing, or
/// may be.
int mesh_configure(const Config& config, const MeshConfigure& what);

}  // namespace nuropb::ctl
