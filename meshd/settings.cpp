#include "meshd/settings.hpp"

namespace nuropb::meshd {

Result<mesh::TransportSettings> transport_settings(const Config& config, const std::string& instance_id) {
  mesh::TransportSettings out;
  const Config::Amqp& amqp = config.amqp;
  for (const std::string& text : amqp.urls) {
    auto url = amqp::parse_url(text);
    if (!url) return tl::unexpected(url.error());
    out.urls.push_back(std::move(*url));
  }
  out.service_name = config.gateway.service;
  out.instance_id = instance_id;
  out.rpc_exchange = amqp.rpc_exchange;
  out.events_exchange = amqp.events_exchange;
  out.dl_exchange = amqp.dl_exchange;
  out.prefetch = static_cast<std::uint16_t>(amqp.prefetch);
  out.response_queue_expires = milliseconds(amqp.response_queue_expires_ms);
  out.heartbeat_s = static_cast<std::uint16_t>(amqp.heartbeat_s);
  out.connect_timeout = milliseconds(amqp.connect_timeout_ms);
  out.reconnect_min = milliseconds(amqp.reconnect_min_ms);
  out.reconnect_max = milliseconds(amqp.reconnect_max_ms);
  out.queued_bytes = amqp.queued_bytes;
  out.password_file = amqp.password_file;
  out.ca_file = amqp.ca_file;
  out.certificate_file = amqp.certificate_file;
  out.key_file = amqp.key_file;
  out.verify_peer = amqp.verify_peer;
  return out;
}

}  // namespace nuropb::meshd
