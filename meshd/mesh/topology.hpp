#pragma once
// Channels, exchanges, queues and bindings of a participant (nuropb-wire.md section 1, "Topology"). Declared idempotently;
// nothing is ever deleted.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"
#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/queue_forms.hpp"
#include "meshd/mesh/transport.hpp"

namespace nuropb::mesh {

/// Channels of a participant. A broker closes a channel for one mistake on it, so each trade has its own, and each
/// participant of a connection has its own six: the second's are 7 to 12. What others ask for and the broker may refuse has
/// channels apart from what it is known to take: messages `trial_channel` (trial_queue.hpp), topic patterns `bindings_channel`.
/// These two and the events' are opened when there is something for them.
inline constexpr std::uint16_t publish_channel = 1, response_channel = 2, service_channel = 3, events_channel = 4,
                               trial_channel = 5, bindings_channel = 6;
inline constexpr std::uint16_t trades = 6;
inline constexpr std::size_t most_participants = amqp::Connection::most_channels / trades;

/// The number of a trade's channel, and back. Channel 0 is the connection's own and nobody's.
constexpr std::uint16_t channel_of(std::size_t participant, std::uint16_t trade) {
  return static_cast<std::uint16_t>(participant * trades + trade);
}
constexpr std::size_t participant_of(std::uint16_t channel) { return channel == 0 ? 0 : (channel - 1U) / trades; }
constexpr std::uint16_t trade_of(std::uint16_t channel) {
  return channel == 0 ? 0 : static_cast<std::uint16_t>((channel - 1) % trades + 1);
}
/// With channel 0.
constexpr std::size_t channels(std::size_t participants) { return 1 + participants * trades; }

/// How a participant connects: times, TLS, and what the broker's list of connections says of it.
amqp::ConnectionSettings connection_settings(const TransportSettings& settings);

struct Topology {
  std::string service_queue, dead_letter_queue, response_queue;
  /// Queue of the events bound at run time. `run` tells one life of a process from the next: what an earlier one had
  /// bound is not known any more, and nobody deletes its queue but the broker, when it has expired.
  std::string events_queue;
  /// What is ours alone under another name, where the queue of that name lies on a node of the cluster that is down: a
  /// durable queue can't be declared anew before its node is back. What was in it is lost, or expires there.
  void move_response_queue();
  void move_events_queue();
  /// How the first two are declared, and what brokers have taught of that.
  QueueForms forms;
  /// The broker has refused a step, or closed the connection, and `said` why ("406 PRECONDITION_FAILED - …"). What is done
  /// otherwise from now on, for a log; nothing if the same would come again.
  std::optional<std::string> learn(const amqp::Step& refused, std::string_view said);
  /// A step, as its text() has it, was not answered in time. RabbitMQ 4.3 waits for the node of a classic queue that is down,
  /// where older versions say so (on_lost_node). What is ours alone gets another name, on a node that is there; and the
  /// service's channel is set up later, on a connection that is there for everything else. True if any of that is so.
  bool unanswered(const std::string& step);
  bool service_later = false;
  static Topology of(const ParticipantSettings& participant, const std::string& vhost, const std::string& run,
                     QueueForms forms = {});

 private:
  std::string own_, run_;
  unsigned response_moves_ = 0, events_moves_ = 0;
};

/// How often a service's queue on such a node is looked for.
inline constexpr auto lost_node_pause = std::chrono::seconds(5);
/// Whether the broker says that a queue lies on a node of its cluster that is down.
bool on_lost_node(std::string_view said);

/// What makes a trade's channel what it is, from opening it to consuming. Nothing for one that this participant has not.
/// The bindings to the events' queue are not among them: those change (event_bindings.hpp).
std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings,
                                 const ParticipantSettings& participant, const Topology& topology);
/// The same of the first participant.
std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings, const Topology& topology);

/// False where the service's queue lies on a node that is down: its channel is closed then, and has to be set up later.
/// That queue has a name that others know, so it can't be another one; and what a participant asks needs only the rest.
struct Declared {
  bool service = true;
  bool again =
      false;  ///< the broker has closed the connection, and taught something: at the next one it goes otherwise
};
/// Topology::learn() of all participants that share the connection: true if anything was learned.
using Learn = std::function<bool(const amqp::Step& refused, const std::string& said)>;
/// Goes through the steps of all channels of a participant but the events', waiting for each answer.
Result<Declared> declare(amqp::Connection& connection, std::size_t number, const TransportSettings& settings,
                         const ParticipantSettings& participant, const Topology& topology, const Learn& learn);

}  // namespace nuropb::mesh
