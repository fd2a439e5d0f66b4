// nuropb-meshd: the one process that holds the broker's credentials and the AMQP connection.

#include <signal.h>

#include <iostream>

#include "common/config.hpp"
#include "common/log.hpp"
#include "meshd/auth/make_authorizers.hpp"
#include "meshd/container_settings.hpp"
#include "meshd/policy.hpp"
#include "meshd/ring_loop.hpp"
#include "meshd/runtime_dir.hpp"
#include "meshd/settings.hpp"
#include "shm/layout.hpp"

namespace {

using namespace nuropb;

constexpr int permanent_fault = 78;  // sysexits.h EX_CONFIG: starting again would end the same way

int fail(const Error& error) {
  log::error("can't start", {{"reason", error.text()}});
  return permanent_fault;
}

std::string names_of(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& name : list) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto config = config_from_command_line(argc, argv, "nuropb-meshd", "The NuroPb gateway's connection to the service mesh", {}, " (ABI " + std::to_string(shm::abi) + ")");
  if (!config) return config.error();
  if (const auto ok = log::configure({"meshd", config->log.level, config->log.format, config->log.file}); !ok) {
    std::cerr << ok.error().text() << '\n';
    return permanent_fault;
  }
  ::signal(SIGPIPE, SIG_IGN);

  const auto runtime = meshd::RuntimeDir::open(config->gateway.runtime_dir);
  if (!runtime) return fail(runtime.error());
  const auto secret = runtime->secret();
  if (!secret) return fail(secret.error());
  auto instance = config->gateway.instance.empty() ? runtime->instance_id() : Result<std::string>(config->gateway.instance);
  if (!instance) return fail(instance.error());
  auto authorizers = meshd::make_authorizers(*config);
  if (!authorizers) return fail(authorizers.error());
  auto policy = config->auth.policy_file.empty() ? Result<meshd::Policy>(meshd::Policy()) : meshd::Policy::load(config->auth.policy_file);
  if (!policy) return fail(policy.error());
  auto transport = meshd::transport_settings(*config, *instance);
  if (!transport) return fail(transport.error());

  auto container_settings = meshd::container_settings(*config, *instance, *transport);
  if (!container_settings) return fail(container_settings.error());

  auto snorky = meshd::snorky::Hub::parts(*config);
  if (!snorky) return fail(snorky.error());

  meshd::RingLoop loop({*config, runtime->control_socket(), runtime->admin_socket(), *instance, meshd::SealedTickets(*secret), *authorizers->chain, authorizers->mesh, std::move(*policy), mesh::RequestKeys(*secret), std::move(*transport), std::move(*snorky)});
  if (const auto started = loop.start(); !started) return fail(started.error());
  log::info("started", {{"service", config->gateway.service}, {"instance", *instance}, {"authorizers", names_of(config->auth.authorizers)}, {"control", runtime->control_socket()}});
  // Its leader configures the broker; only then anybody consumes.
  mesh::ServiceContainer container(std::move(*container_settings), {[&loop] { loop.connect_broker(); }, {}});
  container.start();
  const int code = loop.run();
  container.stop();
  log::info("stopped", {{"code", code}});
  return code;
}
