// nuropb-ctl config: commands about the settings, for use before the gateway runs.

#include <iostream>
#include <memory>

#include "meshd/check/gateway_check.hpp"
#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

json texts_of(const std::vector<Error>& errors) {
  json out = json::array();
  for (const Error& error : errors) out.push_back(error.text());
  return out;
}

int check(const Invocation& invocation, bool with_files) {
  const std::string name = invocation.sources.file.empty() ? "settings" : invocation.sources.file;
  const ConfigFindings found = check_config(invocation.sources, with_files ? meshd::check_gateway : ConfigChecker());
  const bool ok = found.mistakes.empty();
  if (invocation.json) {
    std::cout << written({{"file", name},
                          {"ok", ok},
                          {"mistakes", texts_of(found.mistakes)},
                          {"warnings", texts_of(found.warnings)}})
              << '\n';
    return ok ? done : usage_mistake;
  }
  for (const Error& warning : found.warnings) std::cerr << "warning: " << warning.text() << '\n';
  for (const Error& mistake : found.mistakes) std::cerr << mistake.text() << '\n';
  if (ok) std::cout << name << ": ok\n";
  return ok ? done : usage_mistake;
}

int print(const std::string& text) {
  std::cout << text;
  return std::cout.flush() ? done : not_done;
}

}  // namespace

void add_config_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* const config = app.add_subcommand("config", "The settings: checked, as a sample, explained");
  config->require_subcommand(1);

  const auto only_file = std::make_shared<bool>(false);
  CLI::App* const checked = config->add_subcommand(
      "check",
      "Checks the settings and the files that they name; prints every mistake and warning with its place\n"
      "Exit codes: 0 no mistake, but maybe warnings; 2 mistakes");
  checked->add_flag("--only-settings", *only_file,
                    "Opens no file that a setting names: tokens, keys and policy may be readable by meshd alone");
  checked->callback([&invocation, only_file] {
    invocation.without_settings = true;  // the command loads them itself
    invocation.run = [&invocation, only_file] { return check(invocation, !*only_file); };
  });

  CLI::App* const sample = config->add_subcommand(
      "default", "Prints a commented config file with every key and its default; --json: the values");
  sample->callback([&invocation] {
    invocation.without_settings = true;
    invocation.run = [&invocation] {
      return print(invocation.json ? written(json::parse(config_json(Config()))) + "\n" : sample_config());
    };
  });

  CLI::App* const explained =
      config->add_subcommand("doc", "Prints what every key means, as Markdown; --json: as JSON");
  explained->callback([&invocation] {
    invocation.without_settings = true;
    invocation.run = [&invocation] { return print(invocation.json ? config_doc_json() + "\n" : config_doc()); };
  });
}

}  // namespace nuropb::ctl
