#pragma once
// A participant's presence on the mesh: one AMQP connection on a thread of its own, the NuroPb topology declared on it,
// messages out with a reported outcome, messages in.
//
// Everything above (Api, ServiceHost, the gateway's ServiceMeshManager) talks to this and to no rabbitmq-c type; the
// messages are in carrier.hpp. submit(), ack() and reject() may be called from any thread and never block: they put work
// into bounded queues and wake the transport's thread. All callbacks run on the transport's thread and must not block it.
//
// How it is kept from blocking on a broker that has stopped reading: meshd/amqp/README.md.

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

/// Who somebody is on the mesh, on a connection of his own or on one that he shares.
struct ParticipantSettings {
  std::string service_name;  ///< nuropb-wire.md, topology
  std::string instance_id;
  bool client_only = false;                 ///< no service queue; response queue `nuropb-<vhost>-client-<instance>-rq`
  std::vector<std::string> rpc_bindings;    ///< further routing keys of the service queue beside the service's name
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
  /// x-queue-type of the service's queue: "classic"; "quorum", where no Python peer shares it; empty: not sent, as the
  /// Python peers do, so that the virtual host's default decides.
  std::string service_queue_type = "classic";
  std::int32_t events_queue_length = 100'000;  ///< events kept while we are away; beyond it the oldest are dropped
  std::size_t most_event_patterns = 65'536;    ///< of bind_event(), by each participant
  std::uint16_t heartbeat_s = 10;
  milliseconds connect_timeout{5000};
  milliseconds reconnect_min{200};
  milliseconds reconnect_max{10'000};
  std::size_t largest_body = 64U << 20;  ///< of a message that comes in; a larger one is malformed
  std::size_t queued_bytes =
      64U << 20;  ///< bound of messages waiting to be published, of each participant; one alone may be larger
  std::string ca_file, certificate_file, key_file;  ///< amqps
  bool verify_peer = true;
  /// A file whose text is the password, in place of the URLs': read at each connecting, and looked at every
  /// `password_look` while connected. Empty: the URLs'.
  std::string password_file;
  milliseconds password_look{1000};
};

class Transport final : public Carrier {
 public:
  Transport(TransportSettings settings, Callbacks callbacks);
  /// One more participant on the connection of another, with channels, queues and bounds of its own, and the same thread
  /// (meshd/mesh/README.md, "Several participants"). Before the first is started. What the broker refuses one of them for
  /// good ends all. At most `most_participants` (topology.hpp).
  Transport(Transport& first, ParticipantSettings settings, Callbacks callbacks);
  ~Transport() override;  ///< stops and joins, for all participants: none has callbacks after the first of them is gone

  /// Starts the thread. It connects, declares the topology and consumes, and does so again after every loss, with
  /// exponential back-off and jitter.
  void start() override;
  /// Waits for the first `ready`, or tells why there was none in time. For programs; meshd doesn't wait.
  Result<void> wait_ready(milliseconds timeout);
  /// Publishes what is queued (for at most `grace`), closes the connection, joins the thread. Once for all participants,
  /// as start() is.
  void stop(milliseconds grace = milliseconds{2000}) override;

  /// Queues a message. False, and the message untouched, if the queue is full: try again after on_space.
  bool submit(Outgoing&& message) override;
  /// Several at once, one wake-up; takes as many from the front as fit and returns how many.
  std::size_t submit(std::vector<Outgoing>& messages) override;

  /// Acknowledgements and rejections go after whatever was submitted before them.
  void ack(Delivery delivery, bool multiple = false);
  /// Each of these, in any order; the broker is told with as few frames as can be.
  void ack(const std::vector<Delivery>& deliveries) override;
  /// `requeue` true is the protocol's nack, false its reject (to the dead-letter exchange).
  void reject(Delivery delivery, bool requeue);

  /// Events whose topic matches the AMQP topic pattern (`*` one word, `#` any number) come to on_event, each once
  /// however many patterns it matches. Binding takes effect when the broker has it, soon after, and again after every
  /// loss of the connection. Bound twice is bound once. An error: the pattern is over 255 bytes, or there are
  /// `most_event_patterns`. Any thread, at any time; never waits.
  ///
  /// The queue of these events is ours alone and not the service's: it is declared with the first pattern, outlives a
  /// connection by `response_queue_expires`, and is acknowledged automatically. Events of a pattern that was unbound a
  /// moment ago may still come.
  Result<void> bind_event(std::string topic_pattern) override;
  void unbind_event(const std::string& topic_pattern) override;

  /// Stops (true) or resumes (false) reading from the broker's socket, so that a consumer of ours that can't keep up
  /// pushes back to the broker instead of growing a queue. Nothing is read while one participant wants that. Heartbeats go
  /// on. Any thread.
  void pause_deliveries(bool paused) override;

  /// Runs `work` on the transport's thread, soon or at a time. What has not run when the transport stops is dropped.
  void post(std::function<void()> work);
  void post_at(SteadyTime when, std::function<void()> work);

  /// A part of this face that may outlive the transport: for answers given late, from any thread. Without a transport
  /// submit() says no and the rest does nothing.
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
  /// Changes where the node of a cluster that it was on is lost (Topology::move_response_queue).
  [[nodiscard]] std::string response_queue() const;
  [[nodiscard]] std::size_t queued_bytes() const override;
  [[nodiscard]] const Refusals& refusals() const override;
  [[nodiscard]] Counters counters() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nuropb::mesh
