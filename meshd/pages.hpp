#pragma once
// What meshd tells whoever may ask, over its admin socket and where metrics.listen says.

#include <functional>
#include <string>

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

}  // namespace nuropb::meshd
