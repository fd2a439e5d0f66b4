#pragma once
// Settings of participants on the broker of a test: the one that scripts/test names, or a private one.

#include <algorithm>
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

/// How long to wait at the i-th attempt for a message that may have been sent too early: short at first, then longer,
/// for busy machines. Sixty attempts take more than a minute.
inline milliseconds patience(int i) { return milliseconds(std::min(2000, 100 + 50 * i)); }
inline constexpr int tries = 60;

/// The error of `started`; if it does not contain `part`, waits until a later error of the transport does.
template <class Transport>
std::string reason_with(Transport& transport, Result<void> started, const std::string& part) {
  for (int i = 0; !started && started.error().text().find(part) == std::string::npos && i < tries; ++i)
    started = transport.wait_ready(milliseconds(500));
  return started ? "connected" : started.error().text();
}

/// With a random instance id, on a broker that only this test uses.
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

/// The same on the broker that all tests share; the queues expire soon.
inline TransportSettings participant_settings(const std::string& name, Kind kind) {
  auto out = participant_settings(name, kind, broker_url());
  out.response_queue_expires = milliseconds(5000);
  return out;
}

}  // namespace nuropb::mesh
