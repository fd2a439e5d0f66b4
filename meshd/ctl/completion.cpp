// nuropb-ctl completion, man: generated from the command line's definition, so that they always match it.

#include "meshd/ctl/manual.hpp"

#include <iostream>

namespace nuropb::ctl {
namespace {

/// The path of a command, like "mesh call"; "" for the app itself.
void each_command(const CLI::App& app, const std::string& path,
                  const std::function<void(const std::string& path, const CLI::App&)>& work) {
  work(path, app);
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    each_command(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), work);
}

/// What may follow a command: its subcommands, its options and the global options.
std::string words(const CLI::App& app, const CLI::App& command) {
  std::string out;
  const auto add = [&out](const std::string& word) { out += (out.empty() ? "" : " ") + word; };
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) add(sub->get_name());
  const auto options = [&](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options()) {
      for (const std::string& name : option->get_lnames()) add("--" + name);
    }
  };
  options(command);
  if (&command != &app) options(app);
  return out;
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::string with_values, cases;
  each_command(app, "", [&](const std::string& path, const CLI::App& command) {
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_items_expected_max() == 0) continue;
      for (const std::string& name : option->get_lnames()) with_values += (with_values.empty() ? "--" : "|--") + name;
    }
    cases += "    '" + path + "') words='" + words(app, command) + "' ;;\n";
  });
  return "# Completion of nuropb-ctl for bash, made by `nuropb-ctl completion bash`.\n"
         "_nuropb_ctl() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path= words= i\n"
         "  case $previous in\n"
         "    --config|--secret-file|--key-file) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
         "    " +
         with_values +
         ") COMPREPLY=(); return ;;\n"
         "  esac\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in\n"
         "      " +
         with_values +
         ") i=$((i + 1)) ;;\n"
         "      -*) ;;\n"
         "      *) path=${path:+$path }${COMP_WORDS[i]} ;;\n"
         "    esac\n"
         "  done\n"
         "  while :; do\n"
         "    case $path in\n" +
         cases +
         "    *) case $path in *' '*) path=${path% *}; continue ;; esac ;;\n"
         "    esac\n"
         "    break\n"
         "  done\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "}\n"
         "complete -F _nuropb_ctl nuropb-ctl\n";
}

std::string zsh_completion(const CLI::App& app) {
  // zsh runs the bash completion, so that there is one list of words.
  return "#compdef nuropb-ctl\n"
         "# Completion of nuropb-ctl for zsh, made by `nuropb-ctl completion zsh`.\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_completion(app);
}

void add_manual_commands(CLI::App& app, Invocation& invocation) {
  const auto shell = std::make_shared<std::string>("bash");
  CLI::App* const completion =
      app.add_subcommand("completion", "Prints completion for a shell: source <(nuropb-ctl completion bash)");
  completion->add_option("shell", *shell, "bash or zsh")->check(CLI::IsMember({"bash", "zsh"}))->capture_default_str();
  completion->callback([&app, &invocation, shell] {
    invocation.without_settings = true;
    invocation.run = [&app, shell] {
      std::cout << (*shell == "zsh" ? zsh_completion(app) : bash_completion(app));
      return std::cout.flush() ? done : not_done;
    };
  });
  const auto page = std::make_shared<std::string>("nuropb-ctl");
  CLI::App* const manual = app.add_subcommand("man", "Prints a manual page: nuropb-ctl man | man -l -");
  manual->add_option("page", *page, "nuropb-ctl, nuropb-gateway or nuropb-gateway.toml")
      ->check(CLI::IsMember({"nuropb-ctl", "nuropb-gateway", "nuropb-gateway.toml"}))
      ->capture_default_str();
  manual->callback([&app, &invocation, page] {
    invocation.without_settings = true;
    invocation.run = [&app, page] {
      std::cout << (*page == "nuropb-ctl"       ? manual_of_commands(app)
                    : *page == "nuropb-gateway" ? manual_of_gateway()
                                                : manual_of_settings());
      return std::cout.flush() ? done : not_done;
    };
  });
}

}  // namespace nuropb::ctl
