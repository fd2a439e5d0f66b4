#pragma once
// All that an edge answers by HTTP: backends' calls, the console, and the probes of load balancers.
//
// Owner thread: the edge's io_context.

#include "edge/http_api/backend_endpoint.hpp"
#include "edge/http_api/console_endpoint.hpp"
#include "edge/http_api/health_probe.hpp"
#include "edge/http_api/meshd_calls.hpp"

namespace nuropb::edge {

struct HttpApi {
  MeshdCalls calls;
  BackendEndpoint backend;
  ConsoleEndpoint console;
  HealthProbe probe;

  Result<void> start() {
    if (const auto started = backend.start(); !started) return started;
    return console.start();
  }
  void stop() {
    backend.stop();
    console.stop();
  }
};

}  // namespace nuropb::edge
