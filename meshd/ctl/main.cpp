// nuropb-ctl: the operator's command-line tool.

#include <signal.h>

#include <iostream>

#include "common/standard_streams.hpp"
#include "meshd/ctl/say.hpp"

int main(int argc, char** argv) {
  using namespace nuropb;
  keep_standard_descriptors();
  ::signal(SIGPIPE, SIG_IGN);  // a lost peer is reported as an error instead
  CLI::App app("Operates a NuroPb gateway", "nuropb-ctl");
  app.set_version_flag("--version", "nuropb-ctl " NUROPB_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  ctl::Invocation invocation;
  std::vector<std::string> settings;
  app.add_option("--config", invocation.sources.file, "The gateway's TOML file");
  app.add_option("--set", settings, "Sets one key over file and environment: --set gateway.service=other")
      ->type_name("SECTION.KEY=VALUE");
  app.add_flag("--json", invocation.json, "The answer as JSON, on one line");
  ctl::add_status_commands(app, invocation);
  ctl::add_consumer_commands(app, invocation);
  ctl::add_tap_command(app, invocation);
  ctl::add_worker_commands(app, invocation);
  ctl::add_mesh_commands(app, invocation);
  ctl::add_config_commands(app, invocation);
  ctl::add_token_commands(app, invocation);
  ctl::add_manual_commands(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // CLI11 reports an unknown command as a missing one.
    if (const auto words = app.remaining(true); dynamic_cast<const CLI::RequiredError*>(&e) && !words.empty())
      return ctl::fail(ctl::usage_mistake, "nuropb-ctl: unknown command '" +
                                               ctl::shown(std::string_view(words.front())) +
                                               "'; nuropb-ctl --help lists the commands");
    return app.exit(e) == 0 ? ctl::done : ctl::usage_mistake;
  }
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos)
      return ctl::fail(ctl::usage_mistake, "--set: an argument has no '=' (use --set section.key=value)");
    invocation.sources.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  invocation.sources.environment = config_environment();
  if (!invocation.without_settings) {
    auto config = load_config(invocation.sources);
    if (!config) {
      std::cerr << config.error().text();
      return ctl::usage_mistake;
    }
    invocation.config = std::move(*config);
  }
  return invocation.run();
}
