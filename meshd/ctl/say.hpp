#pragma once
// Shared by all commands of nuropb-ctl: options of the command line, exit codes, and output.

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

/// Exit codes. `refused` means that a token was refused, or a request by its service. Commands may define further
/// codes.
inline constexpr int done = 0, not_done = 1, usage_mistake = 2, refused = 3;

/// A command that waits longer than this prints what it waits for, repeatedly.
inline constexpr std::chrono::seconds say_again{2};

/// The parsed command line. Commands register themselves and set `run` when they are selected.
struct Invocation {
  ConfigSources sources;
  bool json = false;              ///< --json: the response as JSON, one object per line
  bool without_settings = false;  ///< `run` needs no config, or reads it itself
  Config config;                  ///< loaded before `run`
  std::function<int()> run;
};

/// Runs `act` with the parsed options when `command` is selected.
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

/// Prints one line to standard error and returns the code.
int fail(int code, const std::string& text);
int fail(int code, const Error& error);
/// As one line of JSON; invalid UTF-8 is replaced.
std::string written(const nlohmann::json& value);
/// For people: external texts are escaped, so that they cannot control the terminal; "-" for null.
std::string shown(const nlohmann::json& value);
std::string shown(std::string_view text);
inline std::string shown(const std::string& text) { return shown(std::string_view(text)); }
/// A number of a response; 0 if it is missing.
std::uint64_t number(const nlohmann::json& object, const char* name);
/// A text of a response, escaped by shown().
std::string text(const nlohmann::json& object, const char* name);
/// Formats a duration: 3 h 12 m, 5 m 2 s, 40 s.
std::string duration(std::uint64_t seconds);

/// Calls an operation of meshd (meshd/operations.hpp, admin/admin_operations.cpp).
Result<nlohmann::json> ask(const Config& config, const std::string& name, const nlohmann::json& params);

}  // namespace nuropb::ctl
