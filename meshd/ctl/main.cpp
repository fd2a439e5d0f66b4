// nuropb-ctl: what an operator does by hand.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/config.hpp"
#include "common/log.hpp"
#include "meshd/ctl/consumers.hpp"
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
  app.add_option("--set", settings, "Sets one key over file and environment: --set gateway.service=other")
      ->type_name("SECTION.KEY=VALUE");

  ctl::MeshConfigure configure;
  CLI::App* const mesh = app.add_subcommand("mesh", "The mesh on the broker");
  mesh->require_subcommand(1);
  CLI::App* const configuring = mesh->add_subcommand(
      "configure",
      "Makes sure of the virtual host, exchanges, dead-letter queue, service queue and bindings. Deletes nothing.\n"
      "Exit codes: 0 all is there; 1 it could not be done; 2 wrong command or settings; 3 --dry-run found something "
      "missing");
  configuring->add_option("--service", configure.service,
                          "The service whose queues are made (default: gateway.service)");
  configuring->add_option("--rpc-binding", configure.rpc_bindings,
                          "A further routing key of the service queue; may be given often");
  configuring->add_option("--event-binding", configure.event_bindings,
                          "A topic pattern of the service queue; may be given often");
  configuring->add_option("--management-url", configure.management_url,
                          "RabbitMQ's management (default: amqp.management_url, else the AMQP host, port + 10000)");
  configuring->add_flag("--dry-run", configure.dry_run, "Only says what is missing");

  constexpr const char* handler_help = "Consumers of which kind: websocket or lines";
  const auto whom_options = [](CLI::App* command, ctl::Whom& whom) {
    command->add_option("--session", whom.session, "One session, by its id");
    command->add_option("--user", whom.users, "Every connection of this user, on every gateway; may be given often")
        ->allow_extra_args(false);
    command->add_flag("--all", whom.all, "Everybody");
    command->add_option("--handler", whom.handler, handler_help)->capture_default_str();
  };
  constexpr const char* codes =
      "Exit codes: 0 done; 1 it could not be done, or not everybody answered; 2 wrong command or settings; 3 nobody "
      "was there";
  ctl::Sessions listing;
  CLI::App* const sessions =
      app.add_subcommand("sessions", "Who is connected to the gateways of this service, and how many");
  sessions->add_option("--user", listing.user, "Only this user's");
  sessions->add_option("--limit", listing.limit, "Sessions in a page")->check(CLI::Range(1, 1000));
  sessions->add_option("--cursor", listing.cursor, "Where the page before ended");
  sessions->add_flag("--count", listing.count, "Only how many");
  sessions->add_option("--handler", listing.handler, handler_help)->capture_default_str();
  sessions->add_flag("--json", listing.json, "The answer as JSON");
  ctl::Send sending;
  CLI::App* const send =
      app.add_subcommand("send", std::string("Sends a message to consumers, wherever they are connected\n") + codes);
  whom_options(send, sending.whom);
  send->add_option("message", sending.message, "JSON, sent as it is; - reads it from standard input")->required();
  send->add_flag("--json", sending.json, "The answer as JSON");
  ctl::Kick kicking;
  CLI::App* const kick = app.add_subcommand("kick", std::string("Closes connections of consumers\n") + codes);
  whom_options(kick, kicking.whom);
  kick->add_option("--code", kicking.code,
                   "1000, 1001, or 4000 to 4999: clients come again after 4000 to 4499, and not after 4500 to 4999")
      ->capture_default_str();
  kick->add_option("--reason", kicking.reason, "At most 123 bytes");
  kick->add_flag("--json", kicking.json, "The answer as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) { return app.exit(e) == 0 ? 0 : usage_mistake; }
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
  if (sessions->parsed()) return ctl::sessions(*config, listing);
  if (send->parsed()) return ctl::send(*config, sending);
  if (kick->parsed()) return ctl::kick(*config, kicking);
  return ctl::mesh_configure(*config, configure);
}
