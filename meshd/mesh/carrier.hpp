#pragma once
// What a participant on the mesh hands its messages to and hears from: the messages, what becomes of them, and the face that
// two things have: Transport, which is RabbitMQ, and Loopback, which is an echo in the process.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/messages.hpp"
#include "common/result.hpp"

namespace nuropb::mesh {

class Refusals;

/// A message to be published. The exchange follows from the type: requests and commands go to the RPC exchange
/// (mandatory), events to the events exchange, responses to the default exchange.
struct Outgoing {
  MessageType type = MessageType::request;
  std::string routing_key;  ///< the service, the topic, or the requester's response queue
  std::string correlation_id;
  std::string trace_id;  ///< header text
  std::string body;
  bool encrypted = false;
  std::string traceparent{};  ///< W3C, a header; empty: none
  std::optional<std::uint8_t> priority;
  /// Requests and commands: when the sender gives up. Published with what is really left of it as expiration;
  /// past it before it was published, it is dropped (Outcome::expired).
  std::optional<SteadyTime> deadline;
  bool expires = false;   ///< events: the broker, too, drops it after the deadline
  std::uint64_t tag = 0;  ///< the submitter's own; handed back with the outcome
  /// Who it is from: what is published of one source keeps its order (responses have none), and what the broker refuses of one
  /// delays that of no other. Numbers above `no_source` are the submitter's own.
  static constexpr std::uint64_t no_source = 1;
  std::uint64_t source = no_source;
  /// Once this is true nobody waits for it any more: dropped if it was not sent yet (Outcome::expired).
  std::shared_ptr<const std::atomic<bool>> abandoned{};
};

enum class Outcome {
  confirmed,      ///< the broker has it
  not_delivered,  ///< returned: no queue is bound for it; no service has seen it
  refused,        ///< never sent, or the broker said no (nack, or a closed channel); no service has seen it
  expired,        ///< its deadline passed before it was sent; no service has seen it
  unknown,        ///< sent, but the connection was lost before the broker said anything
};

/// What is told of a message that was submitted, once, exactly.
struct Report {
  Outcome outcome;
  MessageType type;
  std::string routing_key;
  std::string correlation_id;
  std::uint64_t tag;
  std::string detail;         ///< broker's reply text or the reason, for people
  std::string returned_body;  ///< with not_delivered: the message's body as the broker returned it
  bool encrypted = false;     ///< the message was, and so is returned_body
  SteadyTime at{};            ///< when the broker said so; zero: it has said nothing
  std::size_t body_size = 0;  ///< of the message, once it was published
  std::uint64_t source = 0;   ///< likewise
};

/// A delivery to be acknowledged. Valid for one opening of its channel: after that the broker redelivers, and an old
/// one is ignored. The channel says whose it is: any participant of the connection may settle it.
struct Delivery {
  std::uint32_t epoch = 0;  ///< counts connections, and the times that a channel was opened again on one
  std::uint16_t channel = 0;
  std::uint64_t tag = 0;
};

struct Incoming {
  MessageType type = MessageType::request;
  std::string correlation_id;
  std::string trace_id;
  std::string traceparent;  ///< as it came, whatever it is
  std::string reply_to;
  std::string routing_key;
  bool redelivered = false;
  bool encrypted = false;
  std::string body;
  Delivery delivery;
};

enum class State { connecting, ready, blocked, away, stopped };

/// submit() and ack() never block. Which thread the callbacks run on is the carrier's own matter; none of them may block.
class Carrier {
 public:
  struct Callbacks {
    /// A message from the response queue. It stays unacknowledged until ack(delivery): acknowledge it once it is safe.
    std::function<void(Incoming&&)> on_response;
    /// A request, command or event from the service queue; to be acknowledged or rejected.
    std::function<void(Incoming&&)> on_service_message;
    /// An event by bind_event(). Acknowledged already: `delivery` is of no use.
    std::function<void(Incoming&&)> on_event{};
    /// The broker has a pattern of bind_event(): what is published from now on comes. Told again after a reconnect.
    std::function<void(const std::string& pattern)> on_event_bound{};
    /// The broker refused a pattern of bind_event(); it is not bound any more.
    std::function<void(const std::string& pattern, const std::string& reason)> on_event_refused{};
    std::function<void(Report&&)> on_report;
    /// `detail` says why, for logs: "connected to amqp://u:***@h:5672/", "password refused".
    std::function<void(State, const std::string& detail)> on_state;
    /// After each turn of the loop in which any of the above ran: a place to wake others once per batch. Where all that
    /// happened is that requests were confirmed, which nobody waits for, up to 2 ms later.
    std::function<void()> on_batch_end;
  };

  using Factory = std::function<std::unique_ptr<Carrier>(Callbacks callbacks)>;

  /// What has happened to the connection since the start, for metrics, and to this participant's messages. Any thread.
  struct Counters {
    std::uint64_t attempts = 0;               ///< to connect
    std::uint64_t connections = 0;            ///< made, handovers among them
    std::uint64_t handovers = 0;              ///< to new credentials
    std::uint64_t refused_credentials = 0;    ///< new ones in the password's file that couldn't be read or used
    std::uint64_t channels_closed = 0;        ///< by the broker
    std::uint64_t consumers_cancelled = 0;    ///< by the broker
    std::uint64_t patterns_refused = 0;       ///< of bind_event(), by the broker
    std::uint64_t malformed = 0;              ///< messages that came and could not be what they should be
    std::uint64_t addresses_passed_over = 0;  ///< of a broker's name: silent, or refusing, before one that answered
    /// Messages that the broker refuses, by what it has said, and that were refused by us for that without asking it.
    std::uint64_t refused_size = 0, refused_topic = 0, refused_otherwise = 0;
    std::uint64_t refused_frame = 0;        ///< their properties do not fit a frame of this broker's, or of AMQP's
    std::uint64_t refused_interrupted = 0;  ///< the connection was lost twice while they were being written
    std::uint64_t queue_forms = 0;          ///< queues declared otherwise than asked for, for the broker refused that
  };

  Carrier() = default;
  virtual ~Carrier() = default;
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  virtual void start() = 0;
  /// Publishes what is queued, for at most `grace`; every message has its report then.
  virtual void stop(milliseconds grace) = 0;

  /// Queues a message. False, and the message untouched, if there is no room: try again after on_batch_end.
  virtual bool submit(Outgoing&& message) = 0;
  /// Several at once, one wake-up; takes as many from the front as fit and returns how many.
  virtual std::size_t submit(std::vector<Outgoing>& messages) = 0;
  /// Each of these, in any order; the broker is told with as few frames as can be.
  virtual void ack(const std::vector<Delivery>& deliveries) = 0;

  /// Events whose topic matches the AMQP topic pattern (`*` one word, `#` any number) come to on_event, each once
  /// however many patterns it matches. Bound twice is bound once. An error: the pattern can't be bound.
  virtual Result<void> bind_event(std::string topic_pattern) = 0;
  virtual void unbind_event(const std::string& topic_pattern) = 0;

  /// Hands over nothing more (true) until told to go on (false).
  virtual void pause_deliveries(bool paused) = 0;

  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  /// Messages that came in and could not be read, by reason.
  [[nodiscard]] virtual const Refusals& refusals() const = 0;
  [[nodiscard]] virtual Counters counters() const = 0;
};

}  // namespace nuropb::mesh
