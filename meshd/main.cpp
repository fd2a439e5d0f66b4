// nuropb-meshd: the one process that holds the broker's credentials and the AMQP connection.

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <vector>

#include "common/config.hpp"
#include "common/log.hpp"
#include "common/program.hpp"
#include "common/service_notice.hpp"
#include "common/standard_streams.hpp"
#include "meshd/auth/make_authorizers.hpp"
#include "meshd/check/gateway_check.hpp"
#include "meshd/container_settings.hpp"
#include "meshd/face.hpp"
#include "meshd/meshd.hpp"
#include "meshd/policy.hpp"
#include "meshd/runtime_dir.hpp"
#include "meshd/settings.hpp"
#include "meshd/socket_maker.hpp"
#include "meshd/tracing/otlp.hpp"
#include "shm/layout.hpp"

namespace {

using namespace nuropb;
using program::fail;

/// The user of edges if it differs from our own.
Result<std::optional<sandbox::Identity>> edge_user(const Config::Hardening& settings) {
  if (::geteuid() != 0 && settings.edge_user.empty()) return std::nullopt;
  auto found = sandbox::edge_identity(settings.edge_user);
  if (!found) return tl::unexpected(found.error());
  return found->uid == ::geteuid() ? std::nullopt : std::optional(std::move(*found));
}

std::string names_of(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& name : list) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  const auto config =
      config_from_command_line(argc, argv, "nuropb-meshd", "The NuroPb gateway's connection to the service mesh",
                               meshd::check_gateway, {}, " (ABI " + std::to_string(shm::abi) + ")");
  if (!config) return config.error();
  if (!program::begin("meshd", *config)) return program::permanent_fault;

  for (const Error& warning : config_warnings(*config))
    log::warning(warning.what, {{"where", warning.where}, {"hint", warning.hint}});
  const auto runtime = meshd::RuntimeDir::open(config->gateway.runtime_dir);
  if (!runtime) return fail(runtime.error());
  auto edges = edge_user(config->hardening);
  if (!edges) return fail(edges.error());
  if (*edges) {
    if (const auto in = runtime->let_in((*edges)->gid); !in) return fail(in.error());
  }
  const std::optional<gid_t> edges_group = *edges ? std::optional((*edges)->gid) : std::nullopt;
  // Must be started before this process has a thread or a secret.
  auto sockets = meshd::SocketMaker::start(
      {{runtime->control_socket(), SOCK_SEQPACKET, edges_group}, {runtime->admin_socket(), SOCK_STREAM}});
  if (!sockets) return fail(sockets.error());
  const auto secret = runtime->secret();
  if (!secret) return fail(secret.error());
  const auto admin_key = runtime->admin_key();
  if (!admin_key) return fail(admin_key.error());
  auto instance =
      config->gateway.instance.empty() ? runtime->instance_id() : Result<std::string>(config->gateway.instance);
  if (!instance) return fail(instance.error());
  auto authorizers = meshd::make_authorizers(*config);
  if (!authorizers) return fail(authorizers.error());
  auto policy = config->auth.policy_file.empty() ? Result<meshd::Policy>(meshd::Policy())
                                                 : meshd::Policy::load(config->auth.policy_file);
  if (!policy) return fail(policy.error());
  std::shared_ptr<meshd::PeerKeys> peer_keys;
  if (!config->push.key_file.empty()) {
    auto read = meshd::PeerKeys::load(config->push.key_file);
    if (!read) return fail(read.error());
    peer_keys = std::make_shared<meshd::PeerKeys>(std::move(*read));
  }
  auto transport = meshd::transport_settings(*config, *instance);
  if (!transport) return fail(transport.error());

  // One container for each kind of listener, because each is a service of its own.
  std::vector<mesh::ServiceContainer::Settings> containers_settings;
  const bool loopback = config->gateway.mesh == MeshKind::loopback;
  for (const meshd::MeshIdentity& identity :
       loopback ? std::vector<meshd::MeshIdentity>() : meshd::identities(*config, *instance)) {
    mesh::TransportSettings own = *transport;
    own.service_name = identity.service;
    own.instance_id = identity.instance;
    auto settings = meshd::container_settings(*config, identity.instance, own);
    if (!settings) return fail(settings.error());
    containers_settings.push_back(std::move(*settings));
  }

  auto snorky = meshd::snorky::Hub::parts(*config);
  if (!snorky) return fail(snorky.error());

  auto exporter = meshd::OtlpExporter::make(*config, *instance);
  if (!exporter) return fail(exporter.error());

  const SystemClock clock;
  meshd::Meshd loop(
      {*config,
       runtime->control_socket(),
       runtime->admin_socket(),
       *admin_key,
       *instance,
       meshd::SealedTickets(*secret),
       *authorizers->chain,
       authorizers->mesh,
       std::move(*policy),
       std::move(peer_keys),
       mesh::RequestKeys(*secret),
       std::move(*transport),
       std::move(*snorky),
       std::move(*edges),
       std::move(*exporter),
       {*runtime, {*secret, config->gateway.instance.empty() ? *instance : std::string(), *admin_key, edges_group}},
       std::move(*sockets),
       clock});
  if (const auto started = loop.start(); !started) return fail(started.error());
  program::allow_requests();
  // The sockets listen, and nothing was served yet.
  if (const auto given = program::give_up(config->hardening, sandbox::Role::meshd); !given) return fail(given.error());
  log::info("started", {{"service", config->gateway.service},
                        {"instance", *instance},
                        {"authorizers", names_of(config->auth.authorizers)},
                        {"control", runtime->control_socket()}});
  if (loopback) {
    log::warning("there is no broker: every method echoes its parameters",
                 {{"hint", "gateway.mesh = \"rabbitmq\", unless this is for trying out or measuring"}});
    loop.connect_broker();
  }
  // Their leaders configure the broker; only then may the instances consume.
  std::atomic<std::size_t> not_ready{containers_settings.size()};
  std::vector<std::unique_ptr<mesh::ServiceContainer>> containers;
  for (auto& settings : containers_settings) {
    const auto ready = [&] {
      if (--not_ready == 0) loop.connect_broker();
    };
    containers.push_back(
        std::make_unique<mesh::ServiceContainer>(std::move(settings), mesh::ServiceContainer::Callbacks{ready, {}}));
  }
  for (auto& container : containers) container->start();
  ServiceNotice::ours().ready();
  const int code = loop.run();
  program::ask_no_more();
  for (auto& container : containers) container->stop();
  log::info("stopped", {{"code", code}});
  return code;
}
