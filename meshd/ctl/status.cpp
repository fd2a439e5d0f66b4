// nuropb-ctl status: shows the status once; also the command line of status and top.

#include <iostream>
#include <memory>

#include "meshd/ctl/figures.hpp"
#include "meshd/ctl/top.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

constexpr int not_serving = 3;

int status(const Invocation& invocation) {
  const auto now = ask(invocation.config, "status", json::object());
  if (!now) return fail(not_done, now.error());
  if (invocation.json) {
    json out = *now;
    out["latencies"] = latencies({}, *now);
    std::cout << written(out) << '\n';
  } else {
    for (const std::string& line : screen(*now, {}, latencies({}, *now), 200)) std::cout << line << '\n';
  }
  const bool ready = now->value("broker", json::object()).value("state", "") == "ready";
  return ready && !now->value("workers", json::array()).empty() ? done : not_serving;
}

}  // namespace

void add_status_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* const one =
      app.add_subcommand("status",
                         "Shows the gateway's state: broker, sessions, counters, workers and their rings\n"
                         "Exit codes: 0 it serves; 1 meshd can't be reached; 2 wrong command or "
                         "settings; 3 the broker is unavailable, or no worker is attached");
  one->callback([&invocation] { invocation.run = [&invocation] { return status(invocation); }; });

  const auto options = std::make_shared<Top>();
  CLI::App* const live =
      app.add_subcommand("top", "A live view of the same with rates and latencies; q or Ctrl-C ends it");
  live->add_option("--interval", options->interval_s, "Seconds between two refreshes")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  live->add_flag("--once", options->once, "Shows one interval, then exits");
  live->add_option("--count", options->count, "Number of refreshes, then exits");
  runs(live, invocation, top, options);
}

}  // namespace nuropb::ctl
