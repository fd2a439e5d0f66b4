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
    out.properties.emplace_back("client_only", "true");  // the Python peer sends it only if true
  return out;
}

Topology Topology::of(const ParticipantSettings& settings, const std::string& vhost, const std::string& run,
                      QueueForms forms) {
  Topology out;
  out.forms = std::move(forms);
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

std::optional<std::string> Topology::learn(const amqp::Step& refused, std::string_view said) {
  if (QueueForms::denies_transient(said)) return forms.dead_letter_refused(said);
  if (refused.kind != amqp::Step::Kind::declare_queue) return {};
  if (refused.name == dead_letter_queue) return forms.dead_letter_refused(said);
  if (refused.name == service_queue) return forms.service_refused(said);
  if (refused.name == response_queue && other_argument(said)) {
    move_response_queue();
    return "the response queue of an earlier run exists with other properties and will expire; responses now use " +
           response_queue;
  }
  return {};
}

bool Topology::unanswered(const std::string& step) {
  const auto declares = [&](const std::string& queue) {
    return !queue.empty() && step.find("declaring queue " + queue) != std::string::npos;
  };
  if (declares(response_queue)) {
    // Both were declared on the same node.
    move_response_queue();
    move_events_queue();
    return true;
  }
  if (declares(events_queue)) {
    move_events_queue();
    return true;
  }
  if (!declares(service_queue) && !declares(dead_letter_queue)) return false;
  service_later = true;
  return true;
}

bool on_lost_node(std::string_view said) { return said.find("down or inaccessible") != std::string_view::npos; }

namespace {

/// A short-lived queue that only we use. It is classic whatever the virtual host's default is: a quorum queue is meant
/// for messages that must survive their node, costs a consensus round per message, and has no exclusive consumers.
amqp::QueueOptions own_queue(const TransportSettings& settings) {
  amqp::QueueOptions out{true, {}, settings.response_queue_expires};
  out.type = "classic";
  return out;
}

}  // namespace

std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings,
                                 const ParticipantSettings& participant, const Topology& topology) {
  using amqp::Step;
  switch (trade) {
    case publish_channel:
      return {Step::open(), Step::confirms(), Step::declare_exchange(settings.rpc_exchange, "direct"),
              Step::declare_exchange(settings.events_exchange, "topic"),
              Step::declare_exchange(settings.dl_exchange, "fanout")};
    case response_channel:
      return {Step::open(), Step::declare_queue(topology.response_queue, own_queue(settings)),
              Step::consume(topology.response_queue, "responses", true)};
    case service_channel: {
      if (participant.client_only) return {};
      std::vector<Step> out{Step::open(),
                            Step::prefetch(participant.prefetch),
                            Step::declare_queue(topology.dead_letter_queue, topology.forms.dead_letter()),
                            Step::bind(topology.dead_letter_queue, settings.dl_exchange, ""),
                            Step::declare_queue(topology.service_queue, topology.forms.service(settings.dl_exchange)),
                            Step::bind(topology.service_queue, settings.rpc_exchange, participant.service_name)};
      for (const auto& key : participant.rpc_bindings)
        out.push_back(Step::bind(topology.service_queue, settings.rpc_exchange, key));
      for (const auto& key : participant.event_bindings)
        out.push_back(Step::bind(topology.service_queue, settings.events_exchange, key));
      out.push_back(Step::consume(topology.service_queue, "service", false));
      return out;
    }
    case events_channel: {
      // Automatic acknowledgements: an event is only for participants that are connected. Bounded, because a gateway
      // that is disconnected for a while must not fill the broker.
      amqp::QueueOptions queue = own_queue(settings);
      queue.max_length = settings.events_queue_length;
      return {Step::open(), Step::declare_queue(topology.events_queue, std::move(queue)),
              Step::consume(topology.events_queue, "events", true, true)};
    }
    case trial_channel:
      // Declares the exchange again: the channel is useless without it, and publishing to a deleted exchange closes the
      // channel.
      return {Step::open(), Step::confirms(), Step::declare_exchange(settings.events_exchange, "topic")};
    case bindings_channel: return {Step::open()};
    default: return {};
  }
}

std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings, const Topology& topology) {
  return steps_of(trade, settings, settings, topology);
}

namespace {

/// The response queue has another process's consumer (403), is exclusive to another connection (405), or was declared
/// with other arguments (406). A Python peer's queue disappears with its consumer, so that peer is running.
bool taken(const std::string& said) {
  return said.starts_with("403 ACCESS_REFUSED - queue") || said.starts_with("405") || said.starts_with("406");
}

/// Limit for a broker that refuses one form after another: it must have another reason.
constexpr int most_lessons = 8;

/// The broker has a queue with our response queue's name and other arguments. If it has a consumer, a participant with
/// our name is running; otherwise an earlier run of ours left it behind.
Result<bool> left_over(amqp::Connection& connection, std::uint16_t channel, const std::string& queue) {
  if (const auto opened = connection.perform(channel, amqp::Step::open()); !opened)
    return tl::unexpected(opened.error());
  const auto consumers = connection.consumers(channel, queue);
  if (!consumers) return tl::unexpected(consumers.error());
  return *consumers == 0;
}

Error explained(Error error, std::uint16_t trade, const ParticipantSettings& participant) {
  if (QueueForms::denies_transient(error.what))
    error.hint =
        "set amqp.dead_letter_queue to auto or durable, which do not need the feature that this broker forbids";
  if (trade == response_channel && taken(error.what))
    return {"another participant with service name '" + participant.service_name + "' and instance id '" +
                participant.instance_id + "' is running (" + error.what + ")",
            error.where, "stop one of them, or give it an instance id of its own"};
  return error;
}

}  // namespace

Result<Declared> declare(amqp::Connection& connection, std::size_t number, const TransportSettings& settings,
                         const ParticipantSettings& participant, const Topology& topology, const Learn& learn) {
  int lessons = 0;
  for (const std::uint16_t trade : {publish_channel, response_channel, service_channel}) {
    const std::uint16_t channel = channel_of(number, trade);
    if (trade == service_channel && topology.service_later) return Declared{false};
    auto steps = steps_of(trade, settings, participant, topology);
    for (std::size_t at = 0; at < steps.size(); ++at) {
      const auto done = connection.perform(channel, steps[at]);
      if (done) continue;
      const amqp::Step refused = steps[at];
      const std::string& said = done.error().what;
      if (QueueForms::denies_transient(said)) {
        if (learn(refused, said)) return Declared{true, true};
        return tl::unexpected(explained(done.error(), trade, participant));
      }
      if (trade == service_channel && on_lost_node(said)) {
        if (const auto closed = connection.answer_close(channel); !closed) return tl::unexpected(closed.error());
        return Declared{false};
      }
      const bool of_form = refused.kind == amqp::Step::Kind::declare_queue && lessons < most_lessons &&
                           (said.starts_with("406 ") || said.starts_with("404 ")) &&
                           (trade == service_channel || (trade == response_channel && other_argument(said)));
      if (!of_form) return tl::unexpected(explained(done.error(), trade, participant));
      if (const auto closed = connection.answer_close(channel); !closed) return tl::unexpected(closed.error());
      if (trade == response_channel) {
        const auto free = left_over(connection, channel, refused.name);
        if (!free) return tl::unexpected(free.error());
        if (!*free) return tl::unexpected(explained(done.error(), trade, participant));
      }
      if (!learn(refused, said)) return tl::unexpected(explained(done.error(), trade, participant));
      ++lessons;
      steps = steps_of(trade, settings, participant, topology);
      // Repeats all of the channel's steps. The check has already opened the response queue's channel.
      if (trade == response_channel) steps.erase(steps.begin());
      at = static_cast<std::size_t>(-1);
    }
  }
  return Declared{};
}

}  // namespace nuropb::mesh
