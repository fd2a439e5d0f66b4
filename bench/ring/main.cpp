// bench_ring: the cost of a message between two processes, for the ring and for alternatives, in one run. Rounds are
// interleaved (A B C … A B C …), so that a slow phase of the machine affects all of them.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/ring/rounds.hpp"

using namespace nuropb::bench;

namespace {

struct Contender {
  const char* figure;  ///< name in the JSON; a group with a size appends it
  const char* name;
  Factory make;
};

struct Group {
  std::string title, unit;
  std::size_t size;  ///< of a message; 0: fixed by the transport
  std::vector<Contender> contenders;
  std::size_t baseline;
  Cores cores = Cores::own;
  [[nodiscard]] std::string figure(std::size_t i) const {
    return contenders[i].figure + (size > 0 ? "_" + std::to_string(size) : "");
  }
};

const std::vector<Contender> one_way{
    {"ring.throughput", "ring, 16 records to a commit", ring_in_batches},
    {"ring.throughput_single", "ring, a commit for each record", ring_one_by_one},
    {"ring.throughput_spinning", "ring, the same, spinning", ring_spinning},
    {"ring.spsc_queue", "boost::lockfree::spsc_queue", spsc_queue},
    {"ring.message_queue", "boost::interprocess::message_queue", message_queue},
    {"ring.seqpacket", "Unix SOCK_SEQPACKET socket", seqpacket},
};
const std::vector<Group> groups{
    {"256-byte messages", "ns/message", 256, one_way, 3},
    {"64-byte messages", "ns/message", 64, one_way, 3},
    {"there and back, spinning",
     "ns/round trip",
     0,
     {{"ring.round_trip_spin", "ring", ring_round_trip_spinning},
      {"ring.round_trip_spsc_queue", "boost::lockfree::spsc_queue", spsc_round_trip}},
     1},
    {"there and back, woken, on one core",
     "ns/round trip",
     0,
     {{"ring.wakeup", "ring and doorbell", ring_round_trip_sleeping},
      {"ring.wakeup_eventfd", "bare eventfd, no message", eventfd_round_trip}},
     1,
     Cores::one},
    {"the same, where epoll waits",
     "ns/round trip",
     0,
     {{"ring.wakeup_in_loop", "ring and doorbell", ring_round_trip_in_loops},
      {"ring.wakeup_in_loop_eventfd", "bare eventfd, no message", eventfd_round_trip_in_loops}},
     1,
     Cores::one},
    {"asleep on two cores",
     "ns/round trip",
     0,
     {{"ring.wakeup_cores", "ring and doorbell", ring_round_trip_sleeping},
      {"ring.wakeup_cores_eventfd", "bare eventfd, no message", eventfd_round_trip}},
     1},
};

struct Measured {
  Spread ns;
  Spread ratio;  ///< relative to the baseline's value: less than 1 is faster
  std::size_t undisturbed = 0;
};

/// Rounds in which one of the two processes lost its core measure other load. They are discarded, unless hardly any
/// others exist.
constexpr std::size_t enough = 7;
constexpr int longest = 4;  // maximum factor of additional rounds, if there are not enough undisturbed ones

std::vector<Measured> measure(const Group& group, int rounds, double milliseconds) {
  std::vector<std::uint64_t> counts;
  for (const Contender& c : group.contenders)
    counts.push_back(count_for(c.make, group.size, milliseconds, group.cores));
  const std::size_t all = group.contenders.size();
  std::vector<std::vector<double>> undisturbed(all), every(all);
  const auto few = [&](const std::vector<double>& found) { return group.cores == Cores::own && found.size() < enough; };
  for (int round = 0;
       round < rounds || (round < longest * rounds && std::any_of(undisturbed.begin(), undisturbed.end(), few));
       ++round) {
    for (std::size_t i = 0; i < all; ++i) {
      if (round >= rounds && !few(undisturbed[i])) continue;
      const Round one = run_round(group.contenders[i].make, group.size, counts[i], group.cores);
      every[i].push_back(one.ns);
      if (!one.disturbed) undisturbed[i].push_back(one.ns);
    }
  }
  std::vector<Measured> out(all);
  for (std::size_t i = 0; i < all; ++i) {
    out[i].undisturbed = undisturbed[i].size();
    // If the two share a core, each waits for it by design, and disturbed rounds cannot be detected: the lower quartile
    // is used.
    out[i].ns =
        spread_of(out[i].undisturbed >= enough ? undisturbed[i] : every[i], group.cores == Cores::one ? 0.25 : 0.5);
  }
  const double baseline = out[group.baseline].ns.value;
  for (Measured& one : out) one.ratio = {one.ns.value / baseline, one.ns.min / baseline, one.ns.max / baseline};
  return out;
}

void print(const Group& group, const std::vector<Measured>& measured) {
  std::printf("\n%-42s       value      min      max   of %s's\n", (group.title + ", " + group.unit).c_str(),
              group.contenders[group.baseline].name);
  for (std::size_t i = 0; i < group.contenders.size(); ++i) {
    const auto& [ns, ratio, undisturbed] = measured[i];
    std::printf("  %-42s %9.1f %8.1f %8.1f", group.contenders[i].name, ns.value, ns.min, ns.max);
    if (i != group.baseline) std::printf("   %.2f (%.2f .. %.2f)", ratio.value, ratio.min, ratio.max);
    std::printf(undisturbed >= enough ? "\n" : "  DISTURBED: only %zu rounds had both cores\n", undisturbed);
  }
}

nlohmann::ordered_json figure(const Group& group, std::size_t i, const Measured& measured) {
  nlohmann::ordered_json out{{"value", measured.ns.value},
                             {"unit", group.unit},
                             {"min", measured.ns.min},
                             {"max", measured.ns.max},
                             {"undisturbed_rounds", measured.undisturbed}};
  if (measured.undisturbed < enough) out["disturbed"] = true;
  if (i != group.baseline) {
    out["baseline"] = group.figure(group.baseline);
    out["ratio"] = measured.ratio.value;
    out["ratio_min"] = measured.ratio.min;
    out["ratio_max"] = measured.ratio.max;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 100;  // many short ones, because other load comes in bursts
  double milliseconds = 3;
  std::string json;
  CLI::App app("The cost of a message between two processes: the ring and alternatives");
  app.add_option("--rounds", rounds, "rounds per contender")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--round-ms", milliseconds, "approximate duration of a round")
      ->check(CLI::Range(0.1, 10000.0))
      ->capture_default_str();
  app.add_option("--json", json, "also writes the results to this file");
  bool quick = false;
  app.add_flag("--quick", quick, "30 rounds of 3 ms");
  CLI11_PARSE(app, argc, argv);
  if (quick) rounds = 30;

  nlohmann::ordered_json figures;
  for (const Group& group : groups) {
    const std::vector<Measured> measured = measure(group, rounds, milliseconds);
    print(group, measured);
    for (std::size_t i = 0; i < group.contenders.size(); ++i) figures[group.figure(i)] = figure(group, i, measured[i]);
  }
  if (json.empty()) return 0;
  std::ofstream out(json);
  out << nlohmann::ordered_json{{"figures", figures}}.dump(2) << '\n';
  out.close();
  if (!out) {
    std::cerr << "bench_ring: " << json << " can't be written\n";
    return 1;
  }
  return 0;
}
