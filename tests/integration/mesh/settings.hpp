#pragma once
// Settings of participants on the broker of a test: the one that scripts/test names, or a private one.

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "common/ids.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

inline amqp::Url broker_url() {
  const char* const text = std::getenv("NUROPB_TEST_AMQP_URL");
  if (!text) throw std::runtime_error("NUROPB_TEST_AMQP_URL is not set: run this by scripts/test mesh");
  return *amqp::parse_url(text);
}

enum class Kind { service, client };

/// With an instance id of its own, on a broker that is this test's alone.
inline TransportSettings participant_settings(const std::string& name, Kind kind, const amqp::Url& url) {
  TransportSettings out;
  out.urls = {url};
  out.service_name = name;
  out.instance_id = random_hex32();
  out.client_only = kind == Kind::client;
  out.prefetch = 100;
  out.reconnect_max = milliseconds(1000);
  return out;
}

/// The same on the broker that all tests share, where its queues are soon gone.
inline TransportSettings participant_settings(const std::string& name, Kind kind) {
  auto out = participant_settings(name, kind, broker_url());
  out.response_queue_expires = milliseconds(5000);
  return out;
}

}  // namespace nuropb::mesh
