#include "meshd/settings.hpp"

namespace nuropb::meshd {
namespace {

mesh::DeadLetterQueue dead_letter_queue(Config::Amqp::DeadLetterQueue which) {
  switch (which) {
    case Config::Amqp::DeadLetterQueue::transient: return mesh::DeadLetterQueue::transient;
    case Config::Amqp::DeadLetterQueue::durable: return mesh::DeadLetterQueue::durable;
    case Config::Amqp::DeadLetterQueue::automatic: break;
  }
  return mesh::DeadLetterQueue::automatic;
}

std::string queue_type(Config::Amqp::QueueType which) {
  switch (which) {
    case Config::Amqp::QueueType::quorum: return "quorum";
    case Config::Amqp::QueueType::vhost: return "";
    case Config::Amqp::QueueType::classic: break;
  }
  return "classic";
}

}  // namespace

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
  out.dead_letter_queue = dead_letter_queue(amqp.dead_letter_queue);
  out.service_queue_type = queue_type(amqp.service_queue_type);
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
