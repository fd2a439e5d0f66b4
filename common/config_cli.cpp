// The command line that all programs share.

#include <CLI/CLI.hpp>
#include <iostream>

#include "common/config.hpp"
#include "common/standard_streams.hpp"

namespace nuropb {

tl::expected<Config, int> config_from_command_line(int argc, char** argv, const std::string& program,
                                                   const std::string& description, const ConfigChecker& checker,
                                                   std::vector<ExtraOption> extra, const std::string& about_version) {
  constexpr int usage_mistake = 2;
  CLI::App app(description, program);
  ConfigSources sources;
  std::vector<std::string> settings;
  bool check = false, print = false, sample = false;
  app.set_version_flag("--version", program + " " NUROPB_VERSION + about_version);
  app.add_option("--config", sources.file, "TOML file with the settings (see --sample-config)");
  app.add_option("--set", settings, "Sets one key over file and environment: --set listen.port=8881")
      ->type_name("SECTION.KEY=VALUE");
  app.add_flag("--check-config", check,
               "Checks the settings and the files that they name, prints every mistake, and ends");
  app.add_flag("--print-config", print, "Prints the settings in force as JSON, without passwords, and ends");
  app.add_flag("--sample-config", sample, "Prints a commented config file with every key, and ends");
  for (auto& option : extra) app.add_option(option.flag, *option.value, option.help);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) { return tl::unexpected(app.exit(e) == 0 ? 0 : usage_mistake); }
  if (sample) {
    std::cout << sample_config();
    return tl::unexpected(0);
  }
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) {
      // The argument is not repeated in the message, because it may be a broker's URL with a password.
      complain("--set: an argument has no '=' (use --set section.key=value)");
      return tl::unexpected(usage_mistake);
    }
    sources.overrides.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  sources.environment = config_environment();
  if (check) {
    const ConfigFindings found = check_config(sources, checker);
    for (const Error& warning : found.warnings) complain("warning: " + warning.text());
    for (const Error& mistake : found.mistakes) complain(mistake.text());
    if (!found.mistakes.empty()) return tl::unexpected(usage_mistake);
    std::cout << (sources.file.empty() ? "settings" : sources.file) << ": ok\n";
    return tl::unexpected(0);
  }
  auto config = load_config(sources);
  if (!config) {
    complain(config.error().text());
    return tl::unexpected(usage_mistake);
  }
  if (print) {
    std::cout << config_json(*config);
    return tl::unexpected(0);
  }
  return std::move(*config);
}

}  // namespace nuropb
