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

/// Channels of a participant. A broker closes a channel because of a single error on it, so each role has its own, and
/// each participant of a connection has its own six: the second's are 7 to 12. Requests that the broker may refuse have
/// separate channels: untried messages use `trial_channel` (trial_queue.hpp), topic patterns `bindings_channel`. These
/// two and the events channel are opened when they are needed.
inline constexpr std::uint16_t publish_channel = 1, response_channel = 2, service_channel = 3, events_channel = 4,
                               trial_channel = 5, bindings_channel = 6;
inline constexpr std::uint16_t trades = 6;
inline constexpr std::size_t most_participants = amqp::Connection::most_channels / trades;

/// The channel number of a participant's role, and the reverse. Channel 0 belongs to the connection itself.
constexpr std::uint16_t channel_of(std::size_t participant, std::uint16_t trade) {
  return static_cast<std::uint16_t>(participant * trades + trade);
}
constexpr std::size_t participant_of(std::uint16_t channel) { return channel == 0 ? 0 : (channel - 1U) / trades; }
constexpr std::uint16_t trade_of(std::uint16_t channel) {
  return channel == 0 ? 0 : static_cast<std::uint16_t>((channel - 1) % trades + 1);
}
/// Including channel 0.
constexpr std::size_t channels(std::size_t participants) { return 1 + participants * trades; }

/// How a participant connects: timeouts, TLS, and the properties shown in the broker's list of connections.
amqp::ConnectionSettings connection_settings(const TransportSettings& settings);

struct Topology {
  std::string service_queue, dead_letter_queue, response_queue;
  /// Queue for events bound at run time. `run` distinguishes runs of a process: bindings of an earlier run are unknown,
  /// and only the broker deletes that run's queue, when it expires.
  std::string events_queue;
  /// Renames a queue that only we use, if the queue of the old name is on a cluster node that is down: a durable queue
  /// cannot be declared again before its node is back. The old queue's content is lost, or expires there.
  void move_response_queue();
  void move_events_queue();
  /// How the first two are declared, including what brokers have taught about it.
  QueueForms forms;
  /// The broker has refused a step, or closed the connection; `said` is its text ("406 PRECONDITION_FAILED - …").
  /// Returns what will be done differently, for a log; nothing if the same would be sent again.
  std::optional<std::string> learn(const amqp::Step& refused, std::string_view said);
  /// A step (given by its text()) was not answered in time. RabbitMQ 4.3 waits for the node of a classic queue that is
  /// down, where older versions report it (on_lost_node). Queues that only we use are renamed, so that another node
  /// hosts them; the service's channel is set up later, on a connection that works otherwise. Returns true if anything
  /// of that applies.
  bool unanswered(const std::string& step);
  bool service_later = false;
  static Topology of(const ParticipantSettings& participant, const std::string& vhost, const std::string& run,
                     QueueForms forms = {});

 private:
  std::string own_, run_;
  unsigned response_moves_ = 0, events_moves_ = 0;
};

/// How often a service queue on such a node is checked.
inline constexpr auto lost_node_pause = std::chrono::seconds(5);
/// Whether the broker reports that a queue is on a cluster node that is down.
bool on_lost_node(std::string_view said);

/// The steps that set up a role's channel, from opening it to consuming. Empty if this participant does not have the
/// role. Bindings of the events queue are not included, because they change (event_bindings.hpp).
std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings,
                                 const ParticipantSettings& participant, const Topology& topology);
/// The same for the first participant.
std::vector<amqp::Step> steps_of(std::uint16_t trade, const TransportSettings& settings, const Topology& topology);

/// `service` is false if the service queue is on a node that is down: its channel is then closed and has to be set up
/// later. That queue's name is known to other programs, so it cannot be renamed; requests of this participant do not
/// need it.
struct Declared {
  bool service = true;
  /// The broker has closed the connection, and something was learned: the next attempt will declare differently.
  bool again = false;
};
/// Calls Topology::learn() for all participants of the connection. Returns true if anything was learned.
using Learn = std::function<bool(const amqp::Step& refused, const std::string& said)>;
/// Performs the steps of all channels of a participant except the events channels, waiting for each answer.
Result<Declared> declare(amqp::Connection& connection, std::size_t number, const TransportSettings& settings,
                         const ParticipantSettings& participant, const Topology& topology, const Learn& learn);

}  // namespace nuropb::mesh
