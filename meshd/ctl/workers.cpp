// nuropb-ctl drain, reload: commands that meshd passes on to edges.

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look{100};
constexpr std::chrono::seconds to_come_back{15};  // the launcher's longest pause is 10

struct Drain {
  std::optional<std::uint64_t> slot;
  bool all = false, no_wait = false;
};

struct Worker {
  std::uint64_t slot = 0, generation = 0, pid = 0, sessions = 0;
};

Result<std::vector<Worker>> workers(const Config& config) {
  const auto now = ask(config, "status", json::object());
  if (!now) return tl::unexpected(now.error());
  std::vector<Worker> out;
  for (const json& one : now->value("workers", json::array()))
    out.push_back({number(one, "slot"), number(one, "generation"), number(one, "pid"), number(one, "sessions")});
  return out;
}

std::string name(const Worker& worker) {
  return "worker " + std::to_string(worker.slot) + " (pid " + std::to_string(worker.pid) + ")";
}

/// Waits until `over` returns true and prints progress every two seconds. Returns false on a timeout or if meshd cannot
/// be reached.
bool wait(const Config& config, std::chrono::milliseconds limit,
          const std::function<bool(const std::vector<Worker>&, std::string& what)>& over) {
  const auto since = Clock::now();
  auto said = since;
  while (Clock::now() - since < limit) {
    std::string what = "meshd does not answer";
    if (const auto now = workers(config); now && over(*now, what)) return true;
    if (Clock::now() - said >= say_again) {
      said = Clock::now();
      std::cerr << what << ": " << std::chrono::duration_cast<std::chrono::seconds>(said - since).count()
                << " s of at most " << std::chrono::duration_cast<std::chrono::seconds>(limit).count() << " s\n";
    }
    std::this_thread::sleep_for(look);
  }
  return false;
}

/// Returns 0, or an exit code after printing the reason.
int drain_one(const Config& config, const Worker& worker, bool wait_for_it) {
  const auto told = ask(config, "drain_worker", {{"slot", worker.slot}});
  if (!told) return fail(not_done, told.error());
  if (!wait_for_it) return done;
  const Config::Drain& times = config.drain;
  const std::chrono::milliseconds limit(std::uint64_t{times.grace_ms} + times.spread_ms + times.limit_ms + 5000);
  const bool gone = wait(config, limit, [&](const std::vector<Worker>& now, std::string& what) {
    for (const Worker& one : now) {
      if (one.slot != worker.slot || one.generation != worker.generation) continue;
      what = name(worker) + " drains, " + std::to_string(one.sessions) + " sessions left";
      return false;
    }
    return true;
  });
  return gone ? done : fail(not_done, name(worker) + " did not drain in time (drain.*); its log says why");
}

int drain(const Invocation& invocation, const Drain& options) {
  if (options.slot.has_value() == options.all) return fail(usage_mistake, "missing target: use one of SLOT, --all");
  const Config& config = invocation.config;
  const auto now = workers(config);
  if (!now) return fail(not_done, now.error());
  json drained = json::array();
  for (const Worker& worker : *now) {
    if (!options.all && worker.slot != *options.slot) continue;
    if (const int code = drain_one(config, worker, !options.no_wait || options.all); code != done) return code;
    drained.push_back({{"slot", worker.slot}, {"generation", worker.generation}, {"pid", worker.pid}});
    if (!invocation.json)
      std::cout << name(worker) << (options.no_wait && !options.all ? " drains\n" : " drained\n") << std::flush;
    if (!options.all) continue;
    // One edge after the other: the next one is drained only when as many edges are attached as before.
    const bool back = wait(config, to_come_back, [&](const std::vector<Worker>& then, std::string& what) {
      what = std::to_string(then.size()) + " of " + std::to_string(now->size()) + " workers are attached";
      return then.size() >= now->size();
    });
    if (!back)
      return fail(not_done,
                  "no other edge has replaced " + name(worker) +
                      ": the others are not drained (what starts edges here? see docs/tasks/drain-and-restart.md)");
  }
  if (drained.empty())
    return fail(not_done,
                options.all ? "no worker is attached" : "there is no worker in slot " + std::to_string(*options.slot));
  if (invocation.json) std::cout << written({{"drained", drained}}) << '\n';
  return done;
}

int reload(const Invocation& invocation) {
  const auto told = ask(invocation.config, "reload", json::object());
  if (!told) return fail(not_done, told.error());
  if (invocation.json) std::cout << written(*told) << '\n';
  else
    std::cout << "tokens, keys and policy were reloaded; " << told->value("edges", json::array()).size()
              << " edges were told to reload their certificates\n";
  return done;
}

}  // namespace

void add_worker_commands(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Drain>();
  CLI::App* const drained =
      app.add_subcommand("drain",
                         "Lets an edge finish pending requests, close its sockets and exit; the launcher or service "
                         "manager starts another in its place. --all: every edge, one after the other\n"
                         "Exit codes: 0 done; 1 it could not be done, or not in time; 2 wrong command or settings");
  drained->add_option("slot", options->slot, "The edge's slot, as `status` shows it: the number before the dot");
  drained->add_flag("--all", options->all, "Every edge, each once the one before was replaced");
  drained->add_flag("--no-wait", options->no_wait, "Does not wait until it has exited");
  runs(drained, invocation, drain, options);
  CLI::App* const reloaded = app.add_subcommand("reload",
                                                "Lets meshd reload tokens, keys and policy, and edges their "
                                                "certificates. Only sockets of users who are no longer "
                                                "allowed are closed\n"
                                                "Exit codes: 0 done; 1 something could not be read, and the "
                                                "previous content stays in force; 2 wrong command or settings");
  reloaded->callback([&invocation] { invocation.run = [&invocation] { return reload(invocation); }; });
}

}  // namespace nuropb::ctl
