#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {

Topology Topology::of(const TransportSettings& settings, const std::string& vhost, const std::string& run) {
  Topology out;
  if (!settings.client_only) {
    out.service_queue = "nuropb-" + settings.service_name + "-sq";
    out.dead_letter_queue = "nuropb-" + settings.service_name + "-dl";
  }
  const std::string label = settings.client_only ? vhost + "-client" : settings.service_name;
  out.response_queue = "nuropb-" + label + "-" + settings.instance_id + "-rq";
  out.events_queue = "nuropb-" + label + "-" + settings.instance_id + "-" + run + "-eq";
  return out;
}

std::vector<amqp::Step> steps_of(std::uint16_t channel, const TransportSettings& settings, const Topology& topology) {
  using amqp::Step;
  switch (channel) {
    case publish_channel:
      return {Step::open(), Step::confirms(), Step::declare_exchange(settings.rpc_exchange, "direct"), Step::declare_exchange(settings.events_exchange, "topic"),
              Step::declare_exchange(settings.dl_exchange, "fanout")};
    case response_channel:
      return {Step::open(), Step::declare_queue(topology.response_queue, {true, {}, settings.response_queue_expires}),
              Step::consume(topology.response_queue, "responses", true)};
    case service_channel: {
      if (settings.client_only) return {};
      std::vector<Step> out{Step::open(), Step::prefetch(settings.prefetch), Step::declare_queue(topology.dead_letter_queue, {}),
                            Step::bind(topology.dead_letter_queue, settings.dl_exchange, ""),
                            Step::declare_queue(topology.service_queue, {true, settings.dl_exchange, {}}),
                            Step::bind(topology.service_queue, settings.rpc_exchange, settings.service_name)};
      for (const auto& key : settings.rpc_bindings) out.push_back(Step::bind(topology.service_queue, settings.rpc_exchange, key));
      for (const auto& key : settings.event_bindings) out.push_back(Step::bind(topology.service_queue, settings.events_exchange, key));
      out.push_back(Step::consume(topology.service_queue, "service", false));
      return out;
    }
    case events_channel:
      // Automatic acknowledgements: an event is for whoever is there to see it. Bounded, since a gateway that is away
      // for a while must not fill the broker.
      return {Step::open(), Step::declare_queue(topology.events_queue, {true, {}, settings.response_queue_expires, settings.events_queue_length}),
              Step::consume(topology.events_queue, "events", true, true)};
    default: return {};
  }
}

Result<void> declare(amqp::Connection& connection, const TransportSettings& settings, const Topology& topology) {
  for (const std::uint16_t channel : {publish_channel, response_channel, service_channel}) {
    for (const auto& step : steps_of(channel, settings, topology)) {
      if (auto done = connection.perform(channel, step); !done) {
        if (channel == response_channel && done.error().what.find("exclusive") != std::string::npos) {
          done.error().hint = "another participant with service name '" + settings.service_name + "' and instance id '" + settings.instance_id + "' is running";
        }
        return done;
      }
    }
  }
  return {};
}

}  // namespace nuropb::mesh
