// bench_mesh_api: calls a NuroPb service through the mesh library, as a C++ program does: mesh::Api, a fixed number of
// outstanding requests, the next one from the callback of an answer.

#include <CLI/CLI.hpp>
#include <chrono>
#include <future>
#include <vector>

#include "bench/outcome.hpp"
#include "meshd/mesh/api.hpp"
#include "meshd/mesh/settings.hpp"

namespace {

using namespace nuropb;
using Clock = std::chrono::steady_clock;

class Caller {
 public:
  Caller(mesh::Api& api, std::string service, std::string method, nlohmann::json params, int outstanding)
      : api_(api),
        service_(std::move(service)),
        method_(std::move(method)),
        params_(std::move(params)),
        waiting_(outstanding) {}

  bench::Outcome run(double seconds) {
    started_ = Clock::now();
    until_ = started_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    // Runs on the transport's thread like all other callbacks, so no lock is needed.
    api_.transport().post([this, count = waiting_] {
      for (int i = 0; i < count; ++i) request();
    });
    done_.get_future().get();
    return std::move(outcome_);
  }

 private:
  void request() {
    mesh::CallOptions options;
    options.context = {{"user_id", "bench"}};
    options.trace_id = "bench";
    const auto sent = Clock::now();
    api_.request(service_, method_, params_, std::move(options),
                 [this, sent](const mesh::Answer& answer) { answered(sent, answer); });
  }
  void answered(Clock::time_point sent, const mesh::Answer& answer) {
    const auto now = Clock::now();
    if (go_on_ && now >= until_) {
      go_on_ = false;
      outcome_.stop(std::chrono::duration<double>(now - started_).count());
    }
    outcome_.latency.add(static_cast<std::uint64_t>(std::chrono::nanoseconds(now - sent).count()));
    ++outcome_.answered;
    if (!answer) outcome_.add_error("{\"error\":\"" + answer.error().name + "\"}");
    else if (*answer != params_) outcome_.add_error("{\"error\":\"another answer\"}");
    if (go_on_) request();
    else if (--waiting_ == 0) done_.set_value();
  }

  mesh::Api& api_;
  std::string service_, method_;
  nlohmann::json params_;
  int waiting_;
  Clock::time_point started_, until_;
  bool go_on_ = true;
  bench::Outcome outcome_;
  std::promise<void> done_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string url, service = "demo", method = "echo", params = "{\"text\":\"hello\"}";
  int outstanding = 128;
  double seconds = 3;
  CLI::App app("Calls a NuroPb service with mesh::Api and prints what it found as JSON", "bench_mesh_api");
  app.add_option("--url", url)->envname("NUROPB_BENCH_URL")->required();
  app.add_option("--service", service)->capture_default_str();
  app.add_option("--method", method, "a method that returns its params")->capture_default_str();
  app.add_option("--params", params, "raw JSON")->capture_default_str();
  app.add_option("--outstanding", outstanding)->capture_default_str();
  app.add_option("--seconds", seconds)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const auto settings = mesh::client_settings(url);
  if (!settings) {
    std::cerr << "bench_mesh_api: " << settings.error().text() << '\n';
    return 2;
  }
  mesh::Api api(*settings);
  if (const auto started = api.start(); !started) {
    std::cerr << "bench_mesh_api: " << started.error().text() << '\n';
    return 1;
  }
  const auto outcome = Caller(api, service, method, nlohmann::json::parse(params), outstanding).run(seconds);
  outcome.print();
  api.stop();
  return outcome.errors.empty() ? 0 : 1;
}
