#include "edge/http_api/console_endpoint.hpp"

#include <algorithm>

#include "common/authority.hpp"
#include "common/error_names.hpp"
#include "common/ip_address.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/same_letters.hpp"
#include "edge/http_api/console_files.hpp"
#include "edge/http_api/meshd_calls.hpp"
#include "edge/protocol/origin.hpp"
#include "edge/protocol/token_source.hpp"

namespace nuropb::edge {
namespace {

constexpr std::uint32_t most_connections = 32, request_ms = 10'000;
constexpr std::string_view status_path = "/api/status", kill_path = "/api/kill", about_path = "/api/about";

/// Of the Host header; IPv6 literals without their brackets.
std::optional<std::string> host_in(std::string_view header) {
  const auto parsed = parse_authority(header);
  if (!parsed || parsed->user) return {};
  std::string out = parsed->host;  // names know no case
  std::transform(out.begin(), out.end(), out.begin(), lower_letter);
  return out;
}

const ConsoleFile* file_at(std::string_view path) {
  const std::string_view name = path == "/" ? "index.html" : path.substr(std::min<std::size_t>(1, path.size()));
  for (const ConsoleFile& file : console_files()) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  return name.ends_with(".css") ? "text/css; charset=utf-8" : "text/html; charset=utf-8";
}

HttpAnswer hardened(HttpAnswer answer, const std::string& connects_to) {
  answer.headers.emplace_back("Content-Security-Policy",
                              "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src "
                              "'self'" +
                                  connects_to + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  answer.headers.emplace_back("X-Frame-Options", "DENY");
  answer.headers.emplace_back("Referrer-Policy", "no-referrer");
  answer.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  answer.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  return answer;
}

}  // namespace

Result<void> ConsoleEndpoint::start() {
  if (!config_.console.enabled) return {};
  const HttpServer::Settings server{"the console",           {}, {}, {}, most_connections, records::max_console_params,
                                    milliseconds(request_ms)};
  port_ = std::make_unique<HttpPort>(
      io_,
      HttpPort::Settings{server, "console", config_.console.address, config_.console.port, config_.gateway.runtime_dir},
      [this](const RequestHead& head, HttpServer::Request& request) {
        auto refused = refusal_of_head(head, request);
        return refused ? refused : calls_.refused_as_guess(request, "tokens at the console from this address");
      },
      [this](HttpServer::Request request, HttpServer::Respond respond) {
        on_request(std::move(request), std::move(respond));
      });
  if (const std::string wrong = port_->listen(); !wrong.empty()) return failure(wrong, "", "");
  if (!is_local(config_.console.address))
    log::warning("the console is open to other hosts and takes tokens in plain HTTP",
                 {{"address", config_.console.address}, {"hint", "console.address, or a proxy with TLS in front"}});
  return {};
}

/// The answer, if the head alone is wrong. A foreign name in the Host header that resolves to us is a DNS rebinding attack. IP
/// literals can't be rebound, and pass.
std::optional<HttpAnswer> ConsoleEndpoint::refusal_of_head(const RequestHead& head,
                                                           HttpServer::Request& request) const {
  const auto host = host_in(request.host);
  const auto& names = config_.console.hosts;
  if (!host ||
      (!is_local(*host) && !IpAddress::parse(*host) &&
       std::none_of(names.begin(), names.end(), [&](const std::string& name) { return same_letters(name, *host); })))
    return refusal(421, error_name::authorization, "the console is not asked for under this name (console.hosts)");
  // Pages of other origins may not ask, not even with what a browser sends by itself.
  const std::string origin = head.header("Origin"), site = head.header("Sec-Fetch-Site");
  const bool own = origin.empty() || same_letters(origin, "http://" + request.host) ||
                   same_letters(origin, "https://" + request.host);
  if (!own || (request.path.starts_with("/api/") && !site.empty() && site != "same-origin" && site != "none"))
    return refusal(403, error_name::authorization, "no page but the console's own may ask here");
  const bool kills = request.path == kill_path, asks = request.path == status_path;
  if (!kills && !asks && request.path != about_path && !file_at(request.path))
    return refusal(404, error_name::handling, "there is no such page");
  if (request.method != (kills ? "POST" : "GET")) {
    HttpAnswer only = refusal(405, error_name::handling, kills ? "POST" : "GET");
    only.headers.emplace_back("Allow", kills ? "POST" : "GET");
    return only;
  }
  if (!kills && !asks) return {};
  // The token is in a header that no page of another origin can set, and never in a cookie, so no browser sends it unasked.
  request.credential = strip_bearer(head.header("Authorization"));
  if (request.credential.empty() || request.credential.size() > records::max_credential) {
    HttpAnswer unknown =
        refusal(401, error_name::authentication, "a bearer token is needed in the Authorization header");
    unknown.headers.emplace_back("WWW-Authenticate", "Bearer");
    return unknown;
  }
  return {};
}

void ConsoleEndpoint::on_request(HttpServer::Request request, HttpServer::Respond respond) {
  const bool kills = request.path == kill_path;
  if (!kills && request.path != status_path) return respond(page(request));
  if (auto wrong = calls_.unavailable("this edge is not attached to meshd")) return respond(std::move(*wrong));
  MeshdCalls::Call call{milliseconds(request_ms), std::move(respond), request.peer, request.credential};
  if (!calls_.send(records::Type::console_call,
                   records::ConsoleCall{request.credential, kills ? "kill" : "status", request.body}, call))
    call.respond(come_again("the gateway is busy"));
}

HttpAnswer ConsoleEndpoint::page(const HttpServer::Request& request) const {
  const std::string scheme = config_.tls.certificate_files.empty() ? "ws" : "wss";
  const auto host = host_in(request.host);
  const std::string socket = host ? scheme + "://" + host_in_uri(*host) + ":" + std::to_string(socket_port_()) : "";
  if (request.path == about_path) {
    return hardened(
        {200,
         R"({"version":)" + json::quoted(NUROPB_VERSION) + R"(,"url":)" + json::quoted(socket + config_.listen.path) +
             R"(,"kill_workers":)" + (config_.console.kill_workers ? "true" : "false") + "}\n",
         {}},
        "");
  }
  const ConsoleFile* const file = file_at(request.path);
  if (!file) return refusal(404, error_name::handling, "there is no such page");
  return hardened({200, std::string(file->bytes), {{"Content-Type", std::string(type_of(file->name))}}},
                  socket.empty() ? "" : " " + socket);
}

bool ConsoleEndpoint::is_origin(std::string_view origin) const {
  return port_ && is_origin_of_page(origin, {config_.console.address, port_->port(), config_.console.hosts});
}

}  // namespace nuropb::edge
