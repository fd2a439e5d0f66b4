#include "meshd/pages.hpp"

#include <utility>

namespace nuropb::meshd {

HttpServer::Settings operators_server(std::string clients, std::uint64_t largest_body) {
  return {std::move(clients), {}, {}, {}, 16, largest_body, std::chrono::milliseconds(5000)};
}

bool is_page(std::string_view path) { return path == "/metrics" || path == "/healthz" || path == "/readyz"; }

std::optional<HttpAnswer> answer_page(const Pages& pages, const HttpServer::Request& asked) {
  if (asked.method != "GET" || !is_page(asked.path)) return {};
  if (asked.path == "/metrics")
    return HttpAnswer{200, pages.metrics(), {{"Content-Type", "text/plain; version=0.0.4"}}};
  Pages::Health health = pages.health();
  const bool good = health.ready || asked.path == "/healthz";
  return HttpAnswer{good ? 200 : 503, std::move(health.json), {{"Content-Type", "application/json"}}};
}

HttpAnswer not_there(std::string_view sentence, std::string_view allowed) {
  HttpAnswer out{allowed.empty() ? 404 : 405, std::string(sentence) + "\n", {{"Content-Type", "text/plain"}}};
  if (!allowed.empty()) out.headers.emplace_back("Allow", allowed);  // RFC 9110, section 15.5.6
  return out;
}

}  // namespace nuropb::meshd
