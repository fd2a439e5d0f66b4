#include "edge/transport/listeners.hpp"

#include <utility>

#include "edge/net/tls_config.hpp"

namespace nuropb::edge {
namespace {

ForwardedHeader forwarded_header(ForwardedFrom from) {
  switch (from) {
    case ForwardedFrom::forwarded: return ForwardedHeader::forwarded;
    case ForwardedFrom::x_forwarded_for: return ForwardedHeader::x_forwarded_for;
    default: return ForwardedHeader::none;
  }
}

AddressBlocks blocks_of(const std::vector<std::string>& texts) {
  AddressBlocks out;
  for (const std::string& block : texts) out.add(block);
  return out;
}

DoorSettings door_settings(const Config& config) {
  const Config::Listen& listen = config.listen;
  DoorSettings out;
  out.address = listen.address;
  out.port = listen.port;
  out.gateway = config.gateway.runtime_dir;
  out.backlog = listen.backlog;
  out.handshake_ms = config.limits.handshake_ms;
  out.limits = {config.limits.connections, config.limits.connections_per_ip, config.limits.new_connections_per_s};
  out.head = {config.limits.request_line_bytes, config.limits.header_bytes, config.limits.headers};
  out.hosts = listen.hosts;
  out.proxy_protocol = listen.proxy_protocol;
  out.forwarded_header = forwarded_header(listen.forwarded_header);
  out.trusted_proxies = blocks_of(listen.trusted_proxies);
  out.tls = tls_settings(config.tls);
  return out;
}

/// Pings are for WebSockets; the kernel does the same for lines.
Liveness::Limits liveness_limits(const Config::Listen& listen) {
  using std::chrono::seconds;
  return {seconds(listen.ping_interval_s), seconds(listen.pong_timeout_s), seconds(listen.idle_timeout_s)};
}

}  // namespace

HeadRules head_rules(const Config::Listen& listen) {
  return {listen.hosts, forwarded_header(listen.forwarded_header), blocks_of(listen.trusted_proxies)};
}

Listeners::Listeners(const Config& config, boost::asio::io_context& io,
                     const std::function<Result<std::string>(const std::string&)>& read_certificates,
                     Callbacks callbacks) {
  DoorSettings door = door_settings(config);
  if (read_certificates) door.tls.read = read_certificates;
  door.on_bad_certificate = std::move(callbacks.on_bad_certificate);
  door.arrivals = arrivals_ = std::make_shared<Arrivals>(door.limits);

  if (config.lines.enabled) {
    LineListener::Settings settings;
    settings.door = door;
    settings.door.address = config.lines.address;
    settings.door.port = config.lines.port;
    if (!config.lines.tls) settings.door.tls.certificate_files.clear();
    settings.max_line = config.limits.message_bytes;
    settings.liveness = liveness_limits(config.listen);
    lines_ = std::make_unique<LineListener>(io, std::move(settings), std::move(callbacks.lines));
  }
  WebSocketListener::Settings settings;
  settings.door = std::move(door);
  if (config.http.enabled) settings.door.largest_body = config.limits.message_bytes;
  settings.max_message = config.limits.message_bytes;
  settings.liveness = liveness_limits(config.listen);
  settings.compression = config.listen.compression;
  settings.deflate = {static_cast<int>(config.listen.compression_window_bits),
                      config.listen.compression_context_takeover, config.limits.message_bytes};
  websocket_ = std::make_unique<WebSocketListener>(io, std::move(settings), std::move(callbacks.websocket));
}

Result<void> Listeners::listen() {
  if (const std::string wrong = websocket_->listen(); !wrong.empty()) return failure(wrong, "", "");
  if (!lines_) return {};
  if (const std::string wrong = lines_->listen(); !wrong.empty()) return failure(wrong, "lines", "");
  return {};
}

void Listeners::stop() {
  websocket_->stop();
  if (lines_) lines_->stop();
}

std::string Listeners::reload_tls() {
  std::string wrong = websocket_->reload_tls();
  if (wrong.empty() && lines_) wrong = lines_->reload_tls();
  return wrong;
}

}  // namespace nuropb::edge
