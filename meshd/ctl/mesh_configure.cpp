#include "meshd/ctl/mesh_configure.hpp"

#include <iostream>

#include "meshd/mesh/configure.hpp"
#include "meshd/settings.hpp"

namespace nuropb::ctl {
namespace {

constexpr int failed = 1, usage_mistake = 2, something_missing = 3;

const char* word(mesh::SetUp::Found state) {
  switch (state) {
    case mesh::SetUp::Found::there: return "there   ";
    case mesh::SetUp::Found::made: return "made    ";
    case mesh::SetUp::Found::missing: return "missing ";
    case mesh::SetUp::Found::unknown: break;
  }
  return "";
}

int fail(const Error& error, int code) {
  std::cerr << "nuropb-ctl: " << error.text() << '\n';
  return code;
}

}  // namespace

int mesh_configure(const Config& config, const MeshConfigure& what) {
  auto transport = meshd::transport_settings(config, "nuropb-ctl");
  if (!transport) return fail(transport.error(), usage_mistake);
  if (!what.service.empty()) transport->service_name = what.service;
  transport->rpc_bindings = what.rpc_bindings;
  transport->event_bindings = what.event_bindings;
  mesh::SetUpSettings settings{std::move(*transport), {}, what.dry_run, true};
  const std::string& management = what.management_url.empty() ? config.amqp.management_url : what.management_url;
  if (!management.empty()) {
    auto url = http::parse_url(management);
    if (!url) return fail(url.error(), usage_mistake);
    settings.management = *url;
  }
  const auto done = mesh::set_up(settings);
  if (!done) return fail(done.error(), failed);

  using Found = mesh::SetUp::Found;
  std::cout << done->broker << ", service " << settings.transport.service_name << '\n';
  for (const auto& item : done->items) {
    // A binding nobody could be asked about: declared again all the same, unless this is a dry run.
    std::cout << (item.state == Found::unknown ? (what.dry_run ? "unknown " : "bound   ") : word(item.state))
              << item.what << '\n';
  }
  const auto made = done->count(Found::made), missing = done->count(Found::missing);
  if (what.dry_run && missing > 0) {
    std::cout << "would make " << missing << ", nothing was changed\n";
    return something_missing;
  }
  if (what.dry_run && done->count(Found::unknown) > 0) {
    std::cout << "bindings may be missing: the management did not answer\n";
    return something_missing;
  }
  if (made > 0) std::cout << "made " << made << '\n';
  else std::cout << "all was there\n";
  return std::cout.flush() ? 0 : failed;
}

}  // namespace nuropb::ctl
