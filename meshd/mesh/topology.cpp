#include "meshd/mesh/topology.hpp"

namespace nuropb::mesh {

amqp::ConnectionSettings connection_settings(const TransportSettings& settings) {
  amqp::ConnectionSettings out;
  out.heartbeat_s = settings.heartbeat_s;
  out.timeout = settings.connect_timeout;
  out.ca_file = settings.ca_file;
  out.certificate_file = settings.certificate_file;
  out.key_file = settings.key_file;
  out.verify_peer = settings.verify_peer;
  out.properties = {
      {"product", "NuroPb gateway"}, {"version", NUROPB_VERSION},     {"protocol", std::string(protocol_version)},
      {"platform", "C++"},           {"name", settings.service_name}, {"instance_id", settings.instance_id}};
  if (settings.client_only)
    out.properties.emplace_back("client_only", "true");  // the Python peer says nothing where it is not
  return out;
}

Topology Topology::of(const ParticipantSettings& settings, const std::string& vhost, const std::string& run) {
  Topology out;
  if (!settings.client_only) {
    out.service_queue = "nuropb-" + settings.service_name + "-sq";
    out.dead_letter_queue = "nuropb-" + settings.service_name + "-dl";
  }
  const std::string label = settings.client_only ? vhost + "-client" : settings.service_name;
  out.own_ = "nuropb-" + label + "-" + settings.instance_id;
  out.run_ = run;
  out.response_queue = out.own_ + "-rq";
  out.events_queue = out.own_ + "-" + run + "-eq";
  return out;
}

void Topology::move_response_queue() { response_queue = own_ + "-" + std::to_string(++response_moves_) + "-rq"; }
void Topology::move_events_queue() { events_queue = own_ + "-" + run_ + "-" + std::to_string(++events_moves_) + "-eq"; }

bool on_lost_node(std::string_view said) { return said.find("down or inaccessible") != std::string_view::npos; }

std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings,
                                 const ParticipantSettings& participant, const Topology& topology) {
  using amqp::Step;
  switch (trade) {
    case publish_channel:
      return {Step::open(), Step::confirms(), Step::declare_exchange(settings.rpc_exchange, "direct"),
              Step::declare_exchange(settings.events_exchange, "topic"),
              Step::declare_exchange(settings.dl_exchange, "fanout")};
    case response_channel:
      return {Step::open(), Step::declare_queue(topology.response_queue, {true, {}, settings.response_queue_expires}),
              Step::consume(topology.response_queue, "responses", true)};
    case service_channel: {
      if (participant.client_only) return {};
      std::vector<Step> out{Step::open(),
                            Step::prefetch(participant.prefetch),
                            Step::declare_queue(topology.dead_letter_queue, {}),
                            Step::bind(topology.dead_letter_queue, settings.dl_exchange, ""),
                            Step::declare_queue(topology.service_queue, {true, settings.dl_exchange, {}}),
                            Step::bind(topology.service_queue, settings.rpc_exchange, participant.service_name)};
      for (const auto& key : participant.rpc_bindings)
        out.push_back(Step::bind(topology.service_queue, settings.rpc_exchange, key));
      for (const auto& key : participant.event_bindings)
        out.push_back(Step::bind(topology.service_queue, settings.events_exchange, key));
      out.push_back(Step::consume(topology.service_queue, "service", false));
      return out;
    }
    case events_channel:
      // Automatic acknowledgements: an event is for whoever is there to see it. Bounded, since a gateway that is away
      // for a while must not fill the broker.
      return {Step::open(),
              Step::declare_queue(topology.events_queue,
                                  {true, {}, settings.response_queue_expires, settings.events_queue_length}),
              Step::consume(topology.events_queue, "events", true, true)};
    default: return {};
  }
}

std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings, const Topology& topology) {
  return steps_of(trade, settings, settings, topology);
}

namespace {

/// The response queue has somebody else's consumer (403), or is his alone (405), or was declared by him otherwise than
/// by us (406): the Python peer's goes with its consumer, so it is there.
bool taken(const std::string& said) {
  return said.starts_with("403 ACCESS_REFUSED - queue") || said.starts_with("405") || said.starts_with("406");
}

}  // namespace

Result<Declared> declare(amqp::Connection& connection, std::size_t number, const TransportSettings& settings,
                         const ParticipantSettings& participant, const Topology& topology) {
  for (const std::uint16_t trade : {publish_channel, response_channel, service_channel}) {
    for (const auto& step : steps_of(trade, settings, participant, topology)) {
      if (auto done = connection.perform(channel_of(number, trade), step); !done) {
        if (trade == service_channel && on_lost_node(done.error().what)) {
          if (const auto closed = connection.answer_close(channel_of(number, trade)); !closed)
            return tl::unexpected(closed.error());
          return Declared{false};
        }
        if (trade == response_channel && done.error().what.find("'x-expires'") != std::string::npos) {
          done.error().hint =
              "our queue of an earlier run, with another time to expire, is still there; it will be gone when that is "
              "over";
        } else if (trade == response_channel && taken(done.error().what)) {
          return failure("another participant with service name '" + participant.service_name + "' and instance id '" +
                             participant.instance_id + "' is running (" + done.error().what + ")",
                         done.error().where, "stop one of them, or give it an instance id of its own");
        }
        return tl::unexpected(done.error());
      }
    }
  }
  return Declared{};
}

}  // namespace nuropb::mesh
