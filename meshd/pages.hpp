#pragma once
// What meshd tells every client that may ask, over its admin socket and where metrics.listen says.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/server.hpp"

namespace nuropb::meshd {

/// GET /metrics, /healthz, /readyz. Called on the ring loop's thread.
struct Pages {
  std::function<std::string()> metrics;  ///< in Prometheus' text format
  struct Health {
    bool ready = false;  ///< else /readyz is a 503
    std::string json;
  };
  std::function<Health()> health;
};

/// Of the servers that operators ask: few connections at a time, each for a few seconds. `largest_body`: 0: none is taken.
HttpServer::Settings operators_server(std::string clients, std::uint64_t largest_body);
/// Whether a path is one of the pages.
bool is_page(std::string_view path);
/// Nothing: the path is not one of them, or the method is not GET.
std::optional<HttpAnswer> answer_page(const Pages& pages, const HttpServer::Request& asked);
/// A sentence for a client that asked for something else: 404, or 405 with the methods that are `allowed` there.
HttpAnswer not_there(std::string_view sentence, std::string_view allowed = {});

}  // namespace nuropb::meshd
