#pragma once
// The read-only pages of meshd, on its admin socket and on metrics.listen.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/server.hpp"

namespace nuropb::meshd {

/// GET /metrics, /healthz, /readyz. The callbacks run on the ring loop's thread.
struct Pages {
  std::function<std::string()> metrics;  ///< in Prometheus' text format
  struct Health {
    bool ready = false;  ///< false: /readyz answers 503
    std::string json;
  };
  std::function<Health()> health;
};

/// Settings for servers that operators use: few connections at a time, each for a few seconds. `largest_body` 0: no
/// bodies are accepted.
HttpServer::Settings operators_server(std::string clients, std::uint64_t largest_body);
/// Whether the path is one of the pages.
bool is_page(std::string_view path);
/// Empty if the path is not one of the pages, or the method is not GET.
std::optional<HttpAnswer> answer_page(const Pages& pages, const HttpServer::Request& asked);
/// The response to any other request: 404, or 405 with the `allowed` methods of that path.
HttpAnswer not_there(std::string_view sentence, std::string_view allowed = {});

}  // namespace nuropb::meshd
