// The console: a page from this edge, and its way to meshd for the gateway's figures. The edge adds nothing to what the
// page could do from elsewhere: it serves fixed files, and hands a token and a question on to meshd, which judges both
// (ConsoleApi::answer in meshd/admin). The page itself is a consumer like any other.

#include <algorithm>

#include "common/authority.hpp"
#include "common/error_names.hpp"
#include "common/ip_address.hpp"
#include "common/json/scan.hpp"
#include "common/log.hpp"
#include "common/messages.hpp"
#include "common/same_letters.hpp"
#include "edge/console_files.hpp"
#include "edge/edge.hpp"
#include "edge/token_source.hpp"

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

std::string in_address(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
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

bool local(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "::1"; }

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

Result<void> Edge::start_console() {
  if (!config_.console.enabled) return {};
  const HttpServer::Settings server{"the console",           {}, {}, {}, most_connections, records::max_console_params,
                                    milliseconds(request_ms)};
  console_ = std::make_unique<HttpPort>(
      io_,
      HttpPort::Settings{server, "console", config_.console.address, config_.console.port, config_.gateway.runtime_dir},
      [this](const RequestHead& head, HttpServer::Request& request) {
        auto refused = judge_console(head, request);
        return refused ? refused : refused_as_guess(request, "tokens at the console from this address");
      },
      [this](HttpServer::Request request, HttpServer::Respond respond) {
        on_console_request(std::move(request), std::move(respond));
      });
  if (const std::string wrong = console_->listen(); !wrong.empty()) return failure(wrong, "", "");
  if (!local(config_.console.address))
    log::warning("the console is open to other hosts and takes tokens in plain HTTP",
                 {{"address", config_.console.address}, {"hint", "console.address, or a proxy with TLS in front"}});
  return {};
}

/// Who asks under a name that is not ours was led here by a page of somebody else's whose name now leads here: DNS
/// rebinding. A literal address is no name, and nobody can make it lead elsewhere.
std::optional<HttpAnswer> Edge::judge_console(const RequestHead& head, HttpServer::Request& request) const {
  const auto host = host_in(request.host);
  const auto& names = config_.console.hosts;
  if (!host ||
      (!local(*host) && !IpAddress::parse(*host) &&
       std::none_of(names.begin(), names.end(), [&](const std::string& name) { return same_letters(name, *host); })))
    return refusal(421, error_name::authorization, "the console is not asked for under this name (console.hosts)");
  // Pages of other origins have no business here, not even with what a browser sends by itself.
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
  // In a header that no page of another origin can set, and never in a cookie: nobody can be made to ask.
  request.credential = strip_bearer(head.header("Authorization"));
  if (request.credential.empty() || request.credential.size() > records::max_credential) {
    HttpAnswer unknown =
        refusal(401, error_name::authentication, "a bearer token is needed in the Authorization header");
    unknown.headers.emplace_back("WWW-Authenticate", "Bearer");
    return unknown;
  }
  return {};
}

void Edge::on_console_request(HttpServer::Request request, HttpServer::Respond respond) {
  const bool kills = request.path == kill_path;
  if (!kills && request.path != status_path) return respond(console_page(request));
  if (phase_ >= Phase::draining) return respond(come_again("this edge is stopping"));
  if (!may_call()) return respond(come_again("this edge is not attached to meshd"));
  const std::uint64_t sequence = next_sequence_ & ReturnAddress::max_sequence;
  record_.clear();
  records::encode(records::ConsoleCall{request.credential, kills ? "kill" : "status", request.body}, record_);
  if (!link_.write(records::Type::console_call, sequence, record_)) return respond(come_again("the gateway is busy"));
  ++next_sequence_;
  backend_calls_.emplace(
      sequence,
      BackendCall{clock_.now() + milliseconds(request_ms), std::move(respond), {}, request.peer, request.credential});
  arm_timer();
}

HttpAnswer Edge::console_page(const HttpServer::Request& request) const {
  const std::string scheme = config_.tls.certificate_files.empty() ? "ws" : "wss";
  const auto host = host_in(request.host);
  const std::string socket = host ? scheme + "://" + in_address(*host) + ":" + std::to_string(listener_->port()) : "";
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

/// Whether a consumer's handshake comes from the console's page: it need not stand in listen.origins.
bool Edge::is_console(std::string_view origin) const {
  if (!console_ || origin.empty()) return false;
  const std::string port = ":" + std::to_string(console_->port());
  const auto is = [&](const std::string& host) { return origin == "http://" + in_address(host) + port; };
  const std::string& address = config_.console.address;
  const bool anywhere = address == "0.0.0.0" || address == "::";
  if ((local(address) || anywhere) && (is("localhost") || is("127.0.0.1") || is("::1"))) return true;
  if (!anywhere && is(address)) return true;
  const auto& hosts = config_.console.hosts;
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const std::string& host) { return is(host) || origin == "https://" + host; });
}

}  // namespace nuropb::edge
