// nuropb-demo-service: a small native service on the mesh, for the quickstart, the tests and the benchmarks.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iostream>

#include "common/error_names.hpp"
#include "common/ids.hpp"
#include "common/standard_streams.hpp"
#include "meshd/mesh/api.hpp"

namespace {

using namespace nuropb;
using nlohmann::json;

void add_methods(mesh::ServiceHost& host, boost::asio::io_context& timers) {
  host.raw_method("echo", {.description = "Returns what it was given", .any_parameters = true},
                  [](std::string_view params) { return std::string(params); });

  host.method("add", {.description = "Adds two numbers", .parameters = {{"a", "number"}, {"b", "number"}}},
              [](const mesh::Call& call) -> json {
                const json &a = call.params["a"], &b = call.params["b"];
                // Integers as long as the operands and the sum fit 64 bits; beyond that, doubles as in JavaScript.
                const auto whole = [](const json& value) {
                  return value.is_number_integer() &&
                         (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
                };
                std::int64_t sum = 0;
                if (whole(a) && whole(b) && !__builtin_add_overflow(a.get<std::int64_t>(), b.get<std::int64_t>(), &sum))
                  return sum;
                if (a.is_number() && b.is_number()) return a.get<double>() + b.get<double>();
                throw mesh::CallError(error_name::validation, "add() takes two numbers");
              });

  host.async_method(
      "slow", {.description = "Answers after `ms` milliseconds", .parameters = {{"ms", "integer"}}},
      [&timers](mesh::Call call, mesh::Reply reply) {
        if (!call.params["ms"].is_number_unsigned())
          return reply.error(error_name::validation, "slow() takes a number of milliseconds");
        const auto ms = call.params["ms"].get<std::uint64_t>();
        const auto wait = std::chrono::milliseconds(std::min<std::uint64_t>(ms, 600'000));
        auto timer = std::make_shared<boost::asio::steady_timer>(timers, wait);
        auto held = std::make_shared<mesh::Reply>(std::move(reply));
        boost::asio::post(timers, [timer, held, ms] {
          timer->async_wait([timer, held, ms](const boost::system::error_code&) { held->result({{"slept_ms", ms}}); });
        });
      });

  host.method("fail",
              {.description = "Fails", .parameters = {{"message", "string", false, "What it says", "as asked"}}},
              [](const mesh::Call& call) -> json {
                throw std::runtime_error(call.params.value("message", std::string("as asked")));
              });
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  CLI::App app("A NuroPb service with echo, add, slow and fail", "nuropb-demo-service");
  std::string url, password_file, service = "demo", instance, ca_file;
  std::uint16_t prefetch = 200;
  app.add_option("--url", url, "The broker: amqp://user:password@host:port/vhost")
      ->envname("NUROPB_DEMO_URL")
      ->required();
  app.add_option("--password-file", password_file, "A file with the password, in place of the URL's");
  app.add_option("--service", service, "Its name on the mesh")->capture_default_str();
  app.add_option("--instance", instance,
                 "Its instance id; with a fixed one there can be one instance only (default: a random one)");
  app.add_option("--prefetch", prefetch, "Requests that it may hold at a time")->capture_default_str();
  app.add_option("--ca-file", ca_file, "amqps: certificates to trust (PEM)");
  CLI11_PARSE(app, argc, argv);
  ::signal(SIGPIPE, SIG_IGN);

  const auto parsed = amqp::parse_url(url);
  if (!parsed) {
    complain(parsed.error().text());
    return 2;
  }
  mesh::TransportSettings settings;
  settings.urls = {*parsed};
  settings.password_file = password_file;
  settings.service_name = service;
  settings.instance_id = instance.empty() ? random_hex32() : instance;
  settings.prefetch = prefetch;
  settings.ca_file = ca_file;

  boost::asio::io_context timers{1};
  // Installed before the service is ready, because a script that waits for that may then stop it.
  boost::asio::signal_set signals(timers, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) { timers.stop(); });
  mesh::ServiceHost host(service, NUROPB_VERSION, "Demonstration service of the NuroPb gateway");
  add_methods(host, timers);
  mesh::Api api(settings);
  api.serve(host);
  if (const auto started = api.start(); !started) {
    complain("no connection: " + started.error().text());
    return 1;
  }
  std::cout << "ready" << std::endl;

  timers.run();
  api.stop();
  return 0;
}
