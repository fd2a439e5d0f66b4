// nuropb-ctl mesh call, mesh describe: they connect to the broker on their own, so they also work while the gateway is
// not running. Also defines the command line of all `mesh` commands.

#include <chrono>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>

#include "common/ids.hpp"
#include "common/log.hpp"
#include "meshd/ctl/mesh_commands.hpp"
#include "meshd/mesh/api.hpp"
#include "meshd/settings.hpp"

namespace nuropb::ctl {
namespace {

using nlohmann::json;

Result<std::unique_ptr<mesh::Api>> connected(const Config& config) {
  if (config.gateway.mesh == MeshKind::loopback) return failure("there is no broker (gateway.mesh = \"loopback\")");
  auto transport = meshd::transport_settings(config, random_hex32());
  if (!transport) return tl::unexpected(transport.error());
  transport->client_only = true;
  (void)log::configure({"nuropb-ctl", log::Level::error, log::Format::text, ""});  // the command itself reports errors
  auto api = std::make_unique<mesh::Api>(std::move(*transport));
  if (const auto started = api->start(milliseconds(config.amqp.connect_timeout_ms)); !started)
    return tl::unexpected(started.error());
  return api;
}

/// Waits for an answer and reports progress if it takes long.
mesh::Answer await_answer(std::future<mesh::Answer> answer, const std::string& what) {
  const auto since = std::chrono::steady_clock::now();
  while (answer.wait_for(say_again) != std::future_status::ready) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since);
    std::cerr << "waiting for " << shown(std::string_view(what)) << ": " << waited.count() << " s\n";
  }
  return answer.get();
}

int say(const Invocation& invocation, const mesh::Answer& answer) {
  if (!answer) {
    const json error{{"error", answer.error().name}, {"description", answer.error().description}};
    if (invocation.json) std::cout << written({{"result", nullptr}, {"error", error}}) << '\n';
    else std::cerr << text(error, "error") << ": " << text(error, "description") << '\n';
    return refused;
  }
  if (invocation.json) std::cout << written({{"result", *answer}, {"error", nullptr}}) << '\n';
  else std::cout << answer->dump(2, ' ', true, json::error_handler_t::replace) << '\n';
  return std::cout.flush() ? done : not_done;
}

std::string type_of(const json& about) {
  const std::string type = text(about, "type");
  return type == "-" ? "any" : type;
}

}  // namespace

int mesh_call(const Invocation& invocation, const MeshCall& what) {
  const std::string text = what.params == "-" ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : what.params;
  const json params = json::parse(text, nullptr, false), context = json::parse(what.context, nullptr, false);
  if (params.is_discarded()) return fail(usage_mistake, "the parameters are not JSON: " + shown(text.substr(0, 80)));
  if (!context.is_object()) return fail(usage_mistake, "--context is not a JSON object");
  auto api = connected(invocation.config);
  if (!api) return fail(not_done, api.error());
  mesh::CallOptions options;
  options.ttl = milliseconds(what.ttl_ms);
  options.context = context;
  return say(invocation, await_answer((*api)->request(what.service, what.method, params, options), what.service));
}

int mesh_describe(const Invocation& invocation, const MeshCall& what) {
  auto api = connected(invocation.config);
  if (!api) return fail(not_done, api.error());
  const mesh::Answer answer = await_answer((*api)->describe(what.service), what.service);
  if (!answer || invocation.json || !answer->is_object()) return say(invocation, answer);
  std::cout << text(*answer, "service_name") << ' ' << text(*answer, "service_version") << ": "
            << text(*answer, "description") << '\n';
  const json methods = answer->value("methods", json::object());
  for (const auto& [name, method] : methods.items()) {
    std::string parameters;
    const json described = method.value("parameters", json::object());
    const json listed = described.value("properties", json::array());
    // A list of pairs, as NuroPb writes it, or an object from other implementations.
    for (const auto& [key, value] : listed.items()) {
      const bool pair = listed.is_array() && value.is_array() && value.size() == 2;
      parameters += (parameters.empty() ? "" : ", ") + (pair ? shown(value[0]) : shown(std::string_view(key))) + ": " +
                    type_of(pair ? value[1] : value);
    }
    std::cout << "  " << shown(std::string_view(name)) << '(' << parameters << ")"
              << (method.value("requires_encryption", false) ? ", encrypted" : "") << "  "
              << text(method, "description") << '\n';
  }
  return std::cout.flush() ? done : not_done;
}

void add_mesh_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* const mesh = app.add_subcommand("mesh", "Commands for the mesh, which need the broker only");
  mesh->require_subcommand(1);
  const auto configure = std::make_shared<MeshConfigure>();
  CLI::App* const configuring = mesh->add_subcommand(
      "configure",
      "Creates the virtual host, exchanges, queues and bindings that are missing. Deletes nothing.\n"
      "Exit codes: 0 everything exists; 1 it could not be done; 2 wrong command or settings; 3 --dry-run found "
      "something "
      "missing");
  configuring->add_option("--service", configure->service,
                          "The service whose queues are created (default: gateway.service)");
  configuring->add_option("--rpc-binding", configure->rpc_bindings,
                          "A further routing key of the service queue; may be repeated");
  configuring->add_option("--event-binding", configure->event_bindings,
                          "A topic pattern of the service queue; may be repeated");
  configuring->add_option("--management-url", configure->management_url,
                          "RabbitMQ's management API (default: amqp.management_url, else the AMQP host, port + 10000)");
  configuring->add_flag("--dry-run", configure->dry_run, "Only prints what is missing");
  runs(configuring, invocation, mesh_configure, configure);

  const auto described = std::make_shared<MeshCall>();
  CLI::App* const describe = mesh->add_subcommand("describe", "Prints a service's description");
  describe->add_option("service", described->service, "Its name")->required();
  runs(describe, invocation, mesh_describe, described);

  const auto called = std::make_shared<MeshCall>();
  CLI::App* const call =
      mesh->add_subcommand("call",
                           "Calls a method of a service, without the gateway, and prints its result\n"
                           "Exit codes: 0 it answered; 1 the broker can't be reached; 2 wrong command or settings; 3 "
                           "the answer is an error");
  call->add_option("service", called->service, "Its name")->required();
  call->add_option("method", called->method, "The method")->required();
  call->add_option("params", called->params, "JSON; - reads it from standard input")->capture_default_str();
  call->add_option("--context", called->context, "The call's context, JSON")->capture_default_str();
  call->add_option("--ttl-ms", called->ttl_ms, "How long to wait for the answer")
      ->check(CLI::Range(1U, 3'600'000U))
      ->capture_default_str();
  runs(call, invocation, mesh_call, called);
}

}  // namespace nuropb::ctl
