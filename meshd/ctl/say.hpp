#pragma once
// What all commands of nuropb-ctl share: the command line's own settings, exit codes, and how something is said.

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config.hpp"
#include "common/result.hpp"

namespace nuropb::ctl {

/// Exit codes; `refused` is a token, or a request by its service. Others are a command's own.
inline constexpr int done = 0, not_done = 1, usage_mistake = 2, refused = 3;

/// A command that waits longer than this says so, and again each time.
inline constexpr std::chrono::seconds say_again{2};

/// What the command line asks for. Commands register themselves and set `run` when they are named.
struct Invocation {
  ConfigSources sources;
  bool json = false;              ///< --json: the answer as JSON, one object a line
  bool without_settings = false;  ///< `run` needs no config, or reads it itself
  Config config;                  ///< before `run`
  std::function<int()> run;
};

/// Named, `command` is what is run, with the options that it was given.
template <class Options>
void runs(CLI::App* command, Invocation& invocation, int (*act)(const Invocation&, const Options&),
          std::shared_ptr<Options> options) {
  command->callback([&invocation, act, options] {
    invocation.run = [&invocation, act, options] { return act(invocation, *options); };
  });
}

void add_status_commands(CLI::App& app, Invocation& invocation);    // status.cpp, top.cpp
void add_consumer_commands(CLI::App& app, Invocation& invocation);  // consumers.cpp
void add_tap_command(CLI::App& app, Invocation& invocation);        // tap.cpp
void add_worker_commands(CLI::App& app, Invocation& invocation);    // workers.cpp
void add_mesh_commands(CLI::App& app, Invocation& invocation);      // mesh_configure.cpp, mesh_calls.cpp
void add_config_commands(CLI::App& app, Invocation& invocation);    // config_commands.cpp
void add_token_commands(CLI::App& app, Invocation& invocation);     // tokens.cpp
void add_manual_commands(CLI::App& app, Invocation& invocation);    // completion.cpp, manual.cpp

/// One line on standard error. The code.
int fail(int code, const std::string& text);
int fail(int code, const Error& error);
/// On one line; what is no UTF-8 is replaced.
std::string written(const nlohmann::json& value);
/// For a person: texts of others are escaped, so that nothing of them may move a terminal's cursor; "-" for none.
std::string shown(const nlohmann::json& value);
std::string shown(std::string_view text);
inline std::string shown(const std::string& text) { return shown(std::string_view(text)); }
/// A number of an answer; 0 where there is none.
std::uint64_t number(const nlohmann::json& object, const char* name);
/// A text of an answer, shown.
std::string text(const nlohmann::json& object, const char* name);
/// 3 h 12 m, 5 m 2 s, 40 s.
std::string duration(std::uint64_t seconds);

/// Asks meshd for an operation (meshd/operations.hpp, admin/admin_operations.cpp).
Result<nlohmann::json> ask(const Config& config, const std::string& name, const nlohmann::json& params);

}  // namespace nuropb::ctl
