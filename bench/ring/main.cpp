// bench_ring: what a message between two processes costs, for the ring and for its rivals, in one run. Rounds are
// interleaved (A B C … A B C …), so that a machine that slows down slows everyone down.

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/ring/rounds.hpp"

using namespace nuropb::bench;

namespace {

struct Contender {
  const char* figure;  ///< in the JSON: <figure>_<size>
  const char* name;
  Factory make;
};
constexpr Contender contenders[] = {
    {"ring.throughput", "ring, 16 records to a commit", ring_in_batches},
    {"ring.throughput_single", "ring, a commit for each record", ring_one_by_one},
    {"ring.throughput_spinning", "ring, the same, spinning", ring_spinning},
    {"ring.spsc_queue", "boost::lockfree::spsc_queue", spsc_queue},
    {"ring.message_queue", "boost::interprocess::message_queue", message_queue},
    {"ring.seqpacket", "Unix SOCK_SEQPACKET socket", seqpacket},
};
constexpr std::size_t count_of_contenders = std::size(contenders);
constexpr std::size_t baseline = 3;
constexpr std::size_t sizes[] = {256, 64};

struct Measured {
  Spread ns;
  Spread ratio;  ///< to the baseline's time in the same round: less than 1 is faster
};

std::vector<Measured> measure(std::size_t size, int rounds, double milliseconds) {
  std::vector<std::uint64_t> counts;
  for (const Contender& c : contenders) counts.push_back(count_for(c.make, size, milliseconds));
  std::vector<std::vector<double>> times(count_of_contenders), ratios(count_of_contenders);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < count_of_contenders; ++i) times[i].push_back(run_round(contenders[i].make, size, counts[i]));
    for (std::size_t i = 0; i < count_of_contenders; ++i) ratios[i].push_back(times[i].back() / times[baseline].back());
  }
  std::vector<Measured> out;
  for (std::size_t i = 0; i < count_of_contenders; ++i) out.push_back({spread_of(times[i]), spread_of(ratios[i])});
  return out;
}

void print(std::size_t size, const std::vector<Measured>& measured) {
  std::printf("\n%3zu-byte messages, ns per message              median      min      max   of %s's\n", size, contenders[baseline].name);
  for (std::size_t i = 0; i < count_of_contenders; ++i) {
    const auto& [ns, ratio] = measured[i];
    std::printf("  %-42s %8.1f %8.1f %8.1f", contenders[i].name, ns.median, ns.min, ns.max);
    if (i != baseline) std::printf("   %.2f (%.2f .. %.2f)", ratio.median, ratio.min, ratio.max);
    std::printf("\n");
  }
}

nlohmann::ordered_json figure(const Measured& measured, bool with_ratio) {
  nlohmann::ordered_json out{
      {"value", measured.ns.median}, {"unit", "ns/message"}, {"min", measured.ns.min}, {"max", measured.ns.max}};
  if (with_ratio) {
    out["baseline"] = contenders[baseline].name;
    out["ratio"] = measured.ratio.median;
    out["ratio_min"] = measured.ratio.min;
    out["ratio_max"] = measured.ratio.max;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 7;
  double milliseconds = 80;
  std::string json;
  CLI::App app("ns per message between two processes: the ring and its rivals");
  app.add_option("--rounds", rounds, "rounds of each contender")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--round-ms", milliseconds, "how long a round lasts, about")->check(CLI::Range(1.0, 10000.0))->capture_default_str();
  app.add_option("--json", json, "write the figures here too");
  CLI11_PARSE(app, argc, argv);

  nlohmann::ordered_json figures;
  for (const std::size_t size : sizes) {
    const std::vector<Measured> measured = measure(size, rounds, milliseconds);
    print(size, measured);
    for (std::size_t i = 0; i < count_of_contenders; ++i) {
      figures[contenders[i].figure + ("_" + std::to_string(size))] = figure(measured[i], i != baseline);
    }
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
