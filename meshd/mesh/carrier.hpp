#pragma once
// The interface between a participant and the mesh: messages, their outcomes, and Carrier, which has two
// implementations: Transport (RabbitMQ) and Loopback (an echo in the process).

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
  /// Requests and commands: when the sender stops waiting. The remaining time is published as expiration; a message
  /// that is not published by then is dropped (Outcome::expired).
  std::optional<SteadyTime> deadline;
  bool expires = false;   ///< events: the broker drops it after the deadline, too
  std::uint64_t tag = 0;  ///< chosen by the submitter and returned with the outcome
  /// The message's source. Messages of one source are published in order (except responses), and a refusal by the
  /// broker delays only messages of the same source. Numbers above `no_source` are chosen by the submitter.
  static constexpr std::uint64_t no_source = 1;
  std::uint64_t source = no_source;
  /// When true, no one waits for the response any more: the message is dropped if it was not sent yet
  /// (Outcome::expired).
  std::shared_ptr<const std::atomic<bool>> abandoned{};
};

enum class Outcome {
  confirmed,      ///< the broker has confirmed it
  not_delivered,  ///< returned by the broker: no queue is bound for it, so no service has received it
  /// Never sent, or refused by the broker (nack, or a closed channel); no service has received it.
  refused,
  expired,  ///< its deadline passed before it was sent; no service has received it
  unknown,  ///< sent, but the connection was lost before the broker confirmed it
};

/// The outcome of a submitted message. There is exactly one per message.
struct Report {
  Outcome outcome;
  MessageType type;
  std::string routing_key;
  std::string correlation_id;
  std::uint64_t tag;
  std::string detail;         ///< the broker's reply text or the reason, for people
  std::string returned_body;  ///< with not_delivered: the message's body as the broker returned it
  bool encrypted = false;     ///< whether the message, and so returned_body, is encrypted
  SteadyTime at{};            ///< when the broker answered; zero: it did not
  std::size_t body_size = 0;  ///< of a message that was published
  std::uint64_t source = 0;   ///< likewise
};

/// Identifies a delivery for acknowledgement. Valid until its channel is closed: after that the broker redelivers, and
/// acknowledging an old delivery has no effect. The channel identifies the participant, so any participant of the
/// connection may settle it.
struct Delivery {
  std::uint32_t epoch = 0;  ///< counts connections and reopenings of a channel
  std::uint16_t channel = 0;
  std::uint64_t tag = 0;
};

struct Incoming {
  MessageType type = MessageType::request;
  std::string correlation_id;
  std::string trace_id;
  std::string traceparent;  ///< as received, not validated
  std::string reply_to;
  std::string routing_key;
  bool redelivered = false;
  bool encrypted = false;
  std::string body;
  Delivery delivery;
};

enum class State { connecting, ready, blocked, away, stopped };

/// submit() and ack() never block. The implementation decides on which thread callbacks run; callbacks must not block.
class Carrier {
 public:
  struct Callbacks {
    /// A message from the response queue. It stays unacknowledged until ack(delivery): acknowledge it once it has been
    /// delivered.
    std::function<void(Incoming&&)> on_response;
    /// A request, command or event from the service queue; it must be acknowledged or rejected.
    std::function<void(Incoming&&)> on_service_message;
    /// An event for a pattern of bind_event(). Already acknowledged; `delivery` is unused.
    std::function<void(Incoming&&)> on_event{};
    /// The broker has confirmed a pattern of bind_event(): events published from now on are delivered. Called again
    /// after a reconnect.
    std::function<void(const std::string& pattern)> on_event_bound{};
    /// The broker refused a pattern of bind_event(); it is no longer bound.
    std::function<void(const std::string& pattern, const std::string& reason)> on_event_refused{};
    std::function<void(Report&&)> on_report;
    /// `detail` says why, for logs: "connected to amqp://u:***@h:5672/", "password refused".
    std::function<void(State, const std::string& detail)> on_state;
    /// Called after each turn of the loop in which one of the above ran, to wake other threads once per batch. If only
    /// confirmations of requests arrived, which no one waits for, the call may be up to 2 ms late.
    std::function<void()> on_batch_end;
  };

  using Factory = std::function<std::unique_ptr<Carrier>(Callbacks callbacks)>;

  /// Counters since start-up, of the connection and of this participant's messages, for metrics. Any thread.
  struct Counters {
    std::uint64_t attempts = 0;             ///< attempts to connect
    std::uint64_t connections = 0;          ///< connections made, including handovers
    std::uint64_t handovers = 0;            ///< reconnections with new credentials
    std::uint64_t refused_credentials = 0;  ///< new passwords in the password file that could not be read or used
    std::uint64_t channels_closed = 0;      ///< by the broker
    std::uint64_t consumers_cancelled = 0;  ///< by the broker
    std::uint64_t patterns_refused = 0;     ///< of bind_event(), by the broker
    std::uint64_t malformed = 0;            ///< received messages that were malformed
    /// Addresses of a broker's name that failed or did not respond before one that connected.
    std::uint64_t addresses_passed_over = 0;
    /// Messages that the broker refused, or that were refused locally because the broker is known to refuse them.
    std::uint64_t refused_size = 0, refused_topic = 0, refused_otherwise = 0;
    std::uint64_t refused_frame = 0;        ///< messages whose properties do not fit a frame of this broker or of AMQP
    std::uint64_t refused_interrupted = 0;  ///< messages during whose writing the connection was lost twice
    /// Queues declared with other properties than configured, because the broker refused those.
    std::uint64_t queue_forms = 0;
  };

  Carrier() = default;
  virtual ~Carrier() = default;
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  virtual void start() = 0;
  /// Publishes queued messages for at most `grace`. After that every message has its report.
  virtual void stop(milliseconds grace) = 0;

  /// Queues a message. Returns false, and leaves the message untouched, if there is no room: try again after
  /// on_batch_end.
  virtual bool submit(Outgoing&& message) = 0;
  /// Queues several messages with one wake-up. Takes as many from the front as fit, and returns their number.
  virtual std::size_t submit(std::vector<Outgoing>& messages) = 0;
  /// Acknowledges these deliveries, in any order, with as few frames as possible.
  virtual void ack(const std::vector<Delivery>& deliveries) = 0;

  /// Subscribes to events whose topic matches the AMQP topic pattern (`*` one word, `#` any number). Each event is
  /// delivered to on_event once, however many patterns it matches. Idempotent. An error means that the pattern cannot
  /// be bound.
  virtual Result<void> bind_event(std::string topic_pattern) = 0;
  virtual void unbind_event(const std::string& topic_pattern) = 0;

  /// Stops handing over messages (true) or continues (false).
  virtual void pause_deliveries(bool paused) = 0;

  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  /// Malformed messages, counted by reason.
  [[nodiscard]] virtual const Refusals& refusals() const = 0;
  [[nodiscard]] virtual Counters counters() const = 0;
};

}  // namespace nuropb::mesh
