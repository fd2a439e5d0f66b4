#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {

Topology Topology::of(const TransportSettings& settings, const std::string& vhost) {
  Topology out;
  if (!settings.client_only) {
    out.service_queue = "nuropb-" + settings.service_name + "-sq";
    out.dead_letter_queue = "nuropb-" + settings.service_name + "-dl";
  }
  const std::string label = settings.client_only ? vhost + "-client" : settings.service_name;
  out.response_queue = "nuropb-" + label + "-" + settings.instance_id + "-rq";
  return out;
}

Result<void> declare(amqp::Connection& c, const TransportSettings& settings, const Topology& topology) {
  Result<void> done;
  // Each step only if the one before went well; the first error is the answer.
  const auto then = [&](auto&& step) {
    if (done) done = step();
  };
  then([&] { return c.open_channel(publish_channel); });
  then([&] { return c.confirm_select(publish_channel); });
  then([&] { return c.declare_exchange(publish_channel, settings.rpc_exchange, "direct"); });
  then([&] { return c.declare_exchange(publish_channel, settings.events_exchange, "topic"); });
  then([&] { return c.declare_exchange(publish_channel, settings.dl_exchange, "fanout"); });

  then([&] { return c.open_channel(response_channel); });
  then([&] { return c.declare_queue(response_channel, topology.response_queue, {true, {}, settings.response_queue_expires}); });
  then([&] { return c.consume(response_channel, topology.response_queue, "responses", true); });
  if (!done && done.error().what.find("exclusive") != std::string::npos) {
    done.error().hint = "another participant with service name '" + settings.service_name + "' and instance id '" + settings.instance_id + "' is running";
  }
  if (settings.client_only) return done;

  then([&] { return c.open_channel(service_channel); });
  then([&] { return c.prefetch(service_channel, settings.prefetch); });
  then([&] { return c.declare_queue(service_channel, topology.dead_letter_queue, {}); });
  then([&] { return c.bind_queue(service_channel, topology.dead_letter_queue, settings.dl_exchange, ""); });
  then([&] { return c.declare_queue(service_channel, topology.service_queue, {true, settings.dl_exchange, {}}); });
  then([&] { return c.bind_queue(service_channel, topology.service_queue, settings.rpc_exchange, settings.service_name); });
  for (const auto& key : settings.rpc_bindings) then([&] { return c.bind_queue(service_channel, topology.service_queue, settings.rpc_exchange, key); });
  for (const auto& key : settings.event_bindings) then([&] { return c.bind_queue(service_channel, topology.service_queue, settings.events_exchange, key); });
  then([&] { return c.consume(service_channel, topology.service_queue, "service", false); });
  return done;
}

}  // namespace nuropb::mesh
