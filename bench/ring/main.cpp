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

std::vector<Spread> measure(std::size_t size, int rounds, double milliseconds) {
  std::vector<std::uint64_t> counts;
  for (const Contender& c : contenders) counts.push_back(count_for(c.make, size, milliseconds));
  std::vector<std::vector<double>> times(count_of_contenders);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < count_of_contenders; ++i) times[i].push_back(run_round(contenders[i].make, size, counts[i]));
  }
  std::vector<Spread> out;
  for (auto& t : times) out.push_back(spread_of(std::move(t)));
  return out;
}

void print(std::size_t size, const std::vector<Spread>& spreads) {
  std::printf("\n%zu-byte messages, ns per message%17s %8s %8s   of %s's\n", size, "median", "min", "max", contenders[baseline].name);
  for (std::size_t i = 0; i < count_of_contenders; ++i) {
    const Spread& s = spreads[i];
    std::printf("  %-42s %8.1f %8.1f %8.1f   %.2f\n", contenders[i].name, s.median, s.min, s.max, s.median / spreads[baseline].median);
  }
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
    const std::vector<Spread> spreads = measure(size, rounds, milliseconds);
    print(size, spreads);
    for (std::size_t i = 0; i < count_of_contenders; ++i) {
      const Spread& s = spreads[i];
      // ratio: of this value to the baseline's in the same run, so less than 1 is better than it.
      figures[contenders[i].figure + ("_" + std::to_string(size))] = {
          {"value", s.median}, {"unit", "ns/message"}, {"baseline", contenders[baseline].name},
          {"ratio", s.median / spreads[baseline].median}, {"min", s.min}, {"max", s.max}};
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
