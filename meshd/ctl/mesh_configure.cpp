// nuropb-ctl mesh configure: mesh/configure.hpp from the command line.

#include "meshd/ctl/mesh_commands.hpp"

#include <iostream>

#include "meshd/mesh/configure.hpp"
#include "meshd/settings.hpp"

namespace nuropb::ctl {
namespace {

constexpr int something_missing = 3;

const char* word(mesh::SetUp::Found state) {
  switch (state) {
    case mesh::SetUp::Found::there: return "there   ";
    case mesh::SetUp::Found::made: return "made    ";
    case mesh::SetUp::Found::missing: return "missing ";
    case mesh::SetUp::Found::unknown: break;
  }
  return "";
}

}  // namespace

int mesh_configure(const Invocation& invocation, const MeshConfigure& what) {
  const Config& config = invocation.config;
  auto transport = meshd::transport_settings(config, "nuropb-ctl");
  if (!transport) return fail(usage_mistake, transport.error());
  if (!what.service.empty()) transport->service_name = what.service;
  transport->rpc_bindings = what.rpc_bindings;
  transport->event_bindings = what.event_bindings;
  mesh::SetUpSettings settings{std::move(*transport), {}, what.dry_run, true};
  const std::string& management = what.management_url.empty() ? config.amqp.management_url : what.management_url;
  if (!management.empty()) {
    auto url = http::parse_base_url(management);
    if (!url) return fail(usage_mistake, url.error());
    settings.management = *url;
  }
  const auto found = mesh::set_up(settings);
  if (!found) return fail(not_done, found.error());

  using Found = mesh::SetUp::Found;
  const auto made = found->count(Found::made), missing = found->count(Found::missing);
  if (invocation.json) {
    nlohmann::json items = nlohmann::json::array();
    for (const auto& item : found->items) {
      std::string state = item.state == Found::unknown ? (what.dry_run ? "unknown" : "bound") : word(item.state);
      items.push_back({{"what", item.what}, {"state", state.substr(0, state.find(' '))}});
    }
    std::cout << written({{"broker", found->broker},
                          {"service", settings.transport.service_name},
                          {"items", items},
                          {"notes", found->notes},
                          {"made", made},
                          {"missing", missing}})
              << '\n';
    return what.dry_run && (missing > 0 || found->count(Found::unknown) > 0) ? something_missing : done;
  }
  std::cout << found->broker << ", service " << settings.transport.service_name << '\n';
  for (const auto& item : found->items) {
    // A binding whose earlier state is unknown is declared nevertheless, except in a dry run.
    std::cout << (item.state == Found::unknown ? (what.dry_run ? "unknown " : "bound   ") : word(item.state))
              << item.what << '\n';
  }
  for (const auto& note : found->notes) std::cout << "note    " << note << '\n';
  if (what.dry_run && missing > 0) {
    std::cout << "would create " << missing << ", nothing was changed\n";
    return something_missing;
  }
  if (what.dry_run && found->count(Found::unknown) > 0) {
    std::cout << "bindings may be missing: the management API did not answer\n";
    return something_missing;
  }
  if (made > 0) std::cout << "made " << made << '\n';
  else std::cout << "everything exists\n";
  return std::cout.flush() ? done : not_done;
}

}  // namespace nuropb::ctl
