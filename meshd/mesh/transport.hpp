#pragma once
// A participant on the mesh over RabbitMQ: one AMQP connection with its own thread, the NuroPb topology declared on it,
// outgoing messages with a reported outcome, incoming messages.
//
// Higher layers (Api, ServiceHost, the gateway's ServiceMeshManager) use this interface and no rabbitmq-c type; the
// messages are in carrier.hpp. submit(), ack() and reject() may be called from any thread and never block: they append
// to bounded queues and wake the transport's thread. All callbacks run on the transport's thread and must not block it.
//
// How the transport avoids blocking on a broker that has stopped reading: meshd/amqp/README.md.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "meshd/amqp/url.hpp"
#include "meshd/mesh/carrier.hpp"
#include "meshd/mesh/dead_letter_queue.hpp"

namespace nuropb::mesh {

class TransportInbox;

/// A participant's identity on the mesh, on its own or on a shared connection.
struct ParticipantSettings {
  std::string service_name;  ///< nuropb-wire.md, topology
  std::string instance_id;
  bool client_only = false;                 ///< no service queue; response queue `nuropb-<vhost>-client-<instance>-rq`
  std::vector<std::string> rpc_bindings;    ///< routing keys of the service queue in addition to the service's name
  std::vector<std::string> event_bindings;  ///< topic patterns of the service queue
  std::uint16_t prefetch = 1;               ///< of the service queue
};

/// The connection, and its first participant.
struct TransportSettings : ParticipantSettings {
  std::vector<amqp::Url> urls;  ///< tried in turn, from the first after each success
  std::string rpc_exchange = "nuropb-rpc-exchange";
  std::string events_exchange = "nuropb-events-exchange";
  std::string dl_exchange = "nuropb-dl-exchange";
  milliseconds response_queue_expires{60'000};                     ///< of the events queue too
  DeadLetterQueue dead_letter_queue = DeadLetterQueue::automatic;  ///< queue_forms.hpp
  /// x-queue-type of the service queue: "classic"; "quorum", if no Python peer shares the queue; empty: not sent, as by
  /// the Python peers, so that the virtual host's default applies.
  std::string service_queue_type = "classic";
  /// Events kept while we are disconnected; the oldest are dropped above it.
  std::int32_t events_queue_length = 100'000;
  std::size_t most_event_patterns = 65'536;  ///< of bind_event(), per participant
  std::uint16_t heartbeat_s = 10;
  milliseconds connect_timeout{5000};
  milliseconds reconnect_min{200};
  milliseconds reconnect_max{10'000};
  std::size_t largest_body = 64U << 20;  ///< of a received message; a larger one is malformed
  /// Limit of messages waiting to be published, per participant. A single message may be larger.
  std::size_t queued_bytes = 64U << 20;
  std::string ca_file, certificate_file, key_file;  ///< amqps
  bool verify_peer = true;
  /// A file with the password, in place of the URLs' passwords: read for each connection, and checked for changes every
  /// `password_look` while connected. Empty: the URLs' passwords are used.
  std::string password_file;
  milliseconds password_look{1000};
};

class Transport final : public Carrier {
 public:
  Transport(TransportSettings settings, Callbacks callbacks);
  /// Adds a participant to another one's connection, with its own channels, queues and limits, and the same thread
  /// (meshd/mesh/README.md, "Several participants"). To be called before the first one is started. A permanent refusal
  /// by the broker for one of them stops all. At most `most_participants` (topology.hpp).
  Transport(Transport& first, ParticipantSettings settings, Callbacks callbacks);
  /// Stops and joins, for all participants. No participant gets callbacks after the first one has been destroyed.
  ~Transport() override;

  /// Starts the thread. It connects, declares the topology and consumes, and does so again after every loss, with
  /// exponential back-off and jitter.
  void start() override;
  /// Waits for the first `ready`, or returns why it was not reached in time. For programs; meshd does not wait.
  Result<void> wait_ready(milliseconds timeout);
  /// Publishes queued messages (for at most `grace`), closes the connection, joins the thread. Like start(), called
  /// once for all participants.
  void stop(milliseconds grace = milliseconds{2000}) override;

  /// Queues a message. Returns false, and leaves the message untouched, if the queue is full: try again after
  /// on_batch_end.
  bool submit(Outgoing&& message) override;
  /// Queues several messages with one wake-up. Takes as many from the front as fit, and returns their number.
  std::size_t submit(std::vector<Outgoing>& messages) override;

  /// Acknowledgements and rejections are sent after everything that was submitted before them.
  void ack(Delivery delivery, bool multiple = false);
  /// Acknowledges these deliveries, in any order, with as few frames as possible.
  void ack(const std::vector<Delivery>& deliveries) override;
  /// `requeue` true is the protocol's nack, false its reject (into the dead-letter exchange).
  void reject(Delivery delivery, bool requeue);

  /// Subscribes to events whose topic matches the AMQP topic pattern (`*` one word, `#` any number). Each event is
  /// delivered to on_event once, however many patterns it matches. The binding takes effect when the broker has
  /// confirmed it, and is renewed after every loss of the connection. Idempotent. Fails if the pattern exceeds 255
  /// bytes or there are `most_event_patterns`. Any thread, at any time; never blocks.
  ///
  /// The queue of these events belongs to this participant and not to the service: it is declared with the first
  /// pattern, outlives a connection by `response_queue_expires`, and is acknowledged automatically. Events of a
  /// recently unbound pattern may still arrive.
  Result<void> bind_event(std::string topic_pattern) override;
  void unbind_event(const std::string& topic_pattern) override;

  /// Stops (true) or resumes (false) reading from the broker's socket, so that a slow consumer causes backpressure on
  /// the broker instead of a growing queue. Nothing is read while any participant has paused. Heartbeats continue. Any
  /// thread.
  void pause_deliveries(bool paused) override;

  /// Runs `work` on the transport's thread, as soon as possible or at a time. Work that is pending when the transport
  /// stops is dropped.
  void post(std::function<void()> work);
  void post_at(SteadyTime when, std::function<void()> work);

  /// A handle that may outlive the transport, for late responses from any thread. After the transport's end submit()
  /// returns false and the other calls do nothing.
  class Sender {
   public:
    explicit Sender(std::shared_ptr<TransportInbox> inbox) : inbox_(std::move(inbox)) {}
    bool submit(Outgoing&& message) const;
    void ack(Delivery delivery) const;
    void reject(Delivery delivery, bool requeue) const;
    void post_at(SteadyTime when, std::function<void()> work) const;

   private:
    std::shared_ptr<TransportInbox> inbox_;
  };
  [[nodiscard]] Sender sender() const;

  [[nodiscard]] State state() const;
  /// Changes if the cluster node of the queue is lost (Topology::move_response_queue).
  [[nodiscard]] std::string response_queue() const;
  [[nodiscard]] std::size_t queued_bytes() const override;
  [[nodiscard]] const Refusals& refusals() const override;
  [[nodiscard]] Counters counters() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::mesh
