// nuropb-ctl config: commands about the settings, for use before the gateway runs.

#include <iostream>
#include <memory>

#include "meshd/auth/make_authorizers.hpp"
#include "meshd/ctl/say.hpp"
#include "meshd/policy.hpp"
#include "meshd/settings.hpp"
#include "meshd/snorky/hub.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

/// The mistakes that meshd would find at start-up, all at once.
std::vector<std::string> mistakes(const ConfigSources& sources, bool with_files, std::string& left_alone) {
  std::vector<std::string> out;
  const auto config = load_config(sources);
  if (!config) {
    for (const Error& error : config.error().errors) out.push_back(error.text());
    return out;
  }
  left_alone = ignored_variables_text(*config);
  const auto note = [&](const auto& result) {
    if (!result) out.push_back(result.error().text());
  };
  note(meshd::transport_settings(*config, "nuropb-ctl"));
  if (!with_files) return out;
  note(meshd::make_authorizers(*config));
  if (!config->auth.policy_file.empty()) note(meshd::Policy::load(config->auth.policy_file));
  note(meshd::snorky::Hub::parts(*config));
  return out;
}

int check(const Invocation& invocation, bool with_files) {
  const std::string name = invocation.sources.file.empty() ? "settings" : invocation.sources.file;
  std::string left_alone;
  const auto wrong = mistakes(invocation.sources, with_files, left_alone);
  if (!left_alone.empty()) std::cerr << "ignored, because they are not settings: " << left_alone << '\n';
  if (invocation.json) {
    std::cout << written({{"file", name}, {"ok", wrong.empty()}, {"mistakes", wrong}}) << '\n';
  } else if (wrong.empty()) {
    std::cout << name << ": ok\n";
  } else {
    for (const std::string& one : wrong) std::cerr << one << '\n';
  }
  return wrong.empty() ? done : usage_mistake;
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
      "Checks the settings and the files that they name for meshd; prints each mistake with its place\n"
      "Exit codes: 0 no mistakes; 2 mistakes");
  checked->add_flag("--only-settings", *only_file, "Skips tokens, keys and policy, which only meshd may read");
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
