#pragma once
// The results of a load generator, as one line of JSON for bench/gateway/run.

#include <sys/resource.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "bench/histogram.hpp"

namespace nuropb::bench {

struct Outcome {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::map<std::string, std::uint64_t> errors;  ///< error responses, by the error's name
  std::string first_error;
  Histogram latency;

  void add_error(std::string_view answer) {
    if (errors.empty()) first_error = answer;
    // {"error":{"error":NAME,...}} or, if a gateway could not interpret the request, {"error":NAME,...}: the last
    // string after that key.
    static constexpr std::string_view key = "\"error\":";
    std::string name = "unnamed";
    for (auto at = answer.find(key); at != std::string_view::npos; at = answer.find(key, at)) {
      at = answer.find_first_not_of(' ', at + key.size());
      if (at == std::string_view::npos || answer[at] != '"') continue;
      name = answer.substr(at + 1, answer.find('"', at + 1) - at - 1);
    }
    ++errors[name];
  }

  /// The end of the measured time: later answers, without load, are only checked.
  void stop(double after) {
    seconds_ = after;
    answered_in_time_ = answered;
  }

  void print(bool histogram = false) const {
    rusage use{};
    ::getrusage(RUSAGE_SELF, &use);
    const auto seconds_of = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    std::cout << "{\"answered\":" << answered << ",\"errors\":{";
    for (const char* comma = ""; const auto& [name, count] : errors)
      std::cout << std::exchange(comma, ",") << '"' << name << "\":" << count;
    std::cout << "},\"seconds\":" << seconds_ << ",\"rate\":" << static_cast<double>(answered_in_time_) / seconds_
              << ",\"p50_us\":" << latency.quantile(0.5) / 1e3 << ",\"p99_us\":" << latency.quantile(0.99) / 1e3
              << ",\"p999_us\":" << latency.quantile(0.999) / 1e3
              << ",\"cpu_seconds\":" << seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
    if (histogram) {
      std::cout << ",\"histogram\":[";
      const char* comma = "";
      latency.each([&](double upto_ns, std::uint64_t seen) {
        std::cout << std::exchange(comma, ",") << '[' << upto_ns / 1e3 << ',' << seen << ']';
      });
      std::cout << ']';
    }
    std::cout << "}" << std::endl;
    if (!errors.empty()) std::cerr << "first error: " << first_error << '\n';
  }

 private:
  double seconds_ = 0;
  std::uint64_t answered_in_time_ = 0;
};

}  // namespace nuropb::bench
