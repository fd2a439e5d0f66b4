// nuropb-ctl: what an operator does by hand.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/config.hpp"
#include "common/log.hpp"
#include "meshd/ctl/mesh_configure.hpp"

int main(int argc, char** argv) {
  using namespace nuropb;
  constexpr int usage_mistake = 2;
  ::signal(SIGPIPE, SIG_IGN);  // a peer that goes away is an error with a text
  CLI::App app("What an operator of the NuroPb gateway does by hand", "nuropb-ctl");
  app.set_version_flag("--version", "nuropb-ctl " NUROPB_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  ConfigSources sources;
  std::vector<std::string> settings;
  app.add_option("--config", sources.file, "The gateway's TOML file");
  app.add_option("--set", settings, "Sets one key over file and environment: --set gateway.service=other")->type_name("SECTION.KEY=VALUE");

  ctl::MeshConfigure configure;
  CLI::App* const mesh = app.add_subcommand("mesh", "The mesh on the broker");
  mesh->require_subcommand(1);
  CLI::App* const configuring = mesh->add_subcommand("configure",
      "Makes sure of the virtual host, exchanges, dead-letter queue, service queue and bindings. Deletes nothing.\n"
      "Exit codes: 0 all is there; 1 it could not be done; 2 wrong command or settings; 3 --dry-run found something missing");
  configuring->add_option("--service", configure.service, "The service whose queues are made (default: gateway.service)");
  configuring->add_option("--rpc-binding", configure.rpc_bindings, "A further routing key of the service queue; may be given often");
  configuring->add_option("--event-binding", configure.event_bindings, "A topic pattern of the service queue; may be given often");
  configuring->add_option("--management-url", configure.management_url, "RabbitMQ's management (default: amqp.management_url, else the AMQP host, port + 10000)");
  configuring->add_flag("--dry-run", configure.dry_run, "Only says what is missing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : usage_mistake;
  }
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      std::cerr << "--set: an argument has no '=' (use --set section.key=value)\n";
      return usage_mistake;
    }
    sources.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  sources.environment = config_environment();
  const auto config = load_config(sources);
  if (!config) {
    std::cerr << config.error().text();
    return usage_mistake;
  }
  return ctl::mesh_configure(*config, configure);
}
