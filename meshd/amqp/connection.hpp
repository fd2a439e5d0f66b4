#pragma once
// One AMQP 0-9-1 connection over rabbitmq-c: connecting with clear errors, and frames in and out without waiting.
//
// Opening and declaring block until the broker answers (bounded by the timeouts). Nothing else blocks, as long as the
// caller checks for room before it writes (README.md, "How a write is kept from waiting"). Confined to the thread that
// uses it. Errors never contain the password.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.hpp"
#include "common/result.hpp"
#include "meshd/amqp/frames.hpp"
#include "meshd/amqp/rabbitmq_c.hpp"
#include "meshd/amqp/step.hpp"
#include "meshd/amqp/url.hpp"

namespace nuropb::amqp {

struct ConnectionSettings {
  std::uint16_t heartbeat_s = 10;
  milliseconds timeout{5000};  ///< for connecting, for the handshake, and for each declaration
  std::string ca_file, certificate_file, key_file;
  bool verify_peer = true;
  std::vector<std::pair<std::string, std::string>> properties;  ///< shown in the broker's list of connections
};

inline amqp_bytes_t bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view(amqp_bytes_t b) { return {static_cast<const char*>(b.bytes), b.len}; }
/// A string entry in a method's arguments or a message's headers.
inline amqp_table_entry_t text_entry(std::string_view key, std::string_view value) {
  amqp_table_entry_t entry{};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = bytes(value);
  return entry;
}

/// A message's properties, from the publisher's point of view.
struct Properties {
  std::string_view correlation_id, reply_to, expiration;  ///< empty: not set
  std::optional<std::uint8_t> priority;
  /// NuroPb's headers, all strings.
  std::vector<std::pair<std::string_view, std::string_view>> headers;
};

class Connection {
 public:
  static constexpr std::uint16_t most_channels = 48;  ///< channels that we ask for; RabbitMQ would allow 2,047
  static Result<Connection> open(const Url& url, const ConnectionSettings& settings);
  Connection(Connection&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)),
        fd_(other.fd_),
        tls_(other.tls_),
        passed_over_(std::move(other.passed_over_)),
        frames_(std::move(other.frames_)),
        grant_(other.grant_),
        room_(other.room_),
        frame_max_(other.frame_max_),
        heartbeat_due_(other.heartbeat_due_) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  [[nodiscard]] int fd() const { return fd_; }
  /// Addresses of the broker's name that failed before the one that connected.
  [[nodiscard]] const std::vector<std::string>& passed_over() const { return passed_over_; }

  /// Frame size in bytes and number of channels, as negotiated with the broker.
  [[nodiscard]] std::size_t frame_max() const { return frame_max_; }
  [[nodiscard]] std::size_t channel_max() const;

  /// Performs a step and blocks until the broker answers. On an error the broker closes the channel.
  Result<void> perform(std::uint16_t channel, const Step& step);
  /// Sends a step without waiting; its answer() arrives as a frame. Check for Step::largest bytes of room first.
  Result<void> send(std::uint16_t channel, const Step& step);
  // The steps by name; each blocks until the broker answers.
  Result<void> open_channel(std::uint16_t channel) { return perform(channel, Step::open()); }
  Result<void> declare_queue(std::uint16_t channel, const std::string& name, const QueueOptions& options) {
    return perform(channel, Step::declare_queue(name, options));
  }
  Result<void> bind_queue(std::uint16_t channel, const std::string& queue, const std::string& exchange,
                          const std::string& key) {
    return perform(channel, Step::bind(queue, exchange, key));
  }
  Result<void> consume(std::uint16_t channel, const std::string& queue, const std::string& tag, bool exclusive) {
    return perform(channel, Step::consume(queue, tag, exclusive));
  }

  /// True if `wanted` bytes, at most largest_write(), can be written now without blocking. Asks the kernel only when
  /// the room that it last reported is used up. After false, POLLOUT says when to ask again.
  bool send_room(std::size_t wanted);
  [[nodiscard]] std::size_t largest_write() const { return grant_; }
  /// Maximum size of a message on the wire apart from its body, if publishable() accepts it.
  static constexpr std::size_t publish_overhead = 8192;

  /// Checks that AMQP and this connection can carry a message: its properties must fit one frame. On an error nothing
  /// of it may be sent.
  [[nodiscard]] Result<void> publishable(std::string_view routing_key, const Properties& properties) const {
    return publishable(routing_key, properties, frame_max_);
  }
  static Result<void> publishable(std::string_view routing_key, const Properties& properties, std::size_t frame_max);
  /// Publishes a whole message at once. Check for room for body and publish_overhead first.
  Result<void> publish(std::uint16_t channel, std::string_view exchange, std::string_view routing_key, bool mandatory,
                       const Properties& properties, std::string_view body);
  /// The same with arbitrary properties, for tests.
  Result<void> publish_raw(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                           const amqp_basic_properties_t& properties, std::string_view body);
  /// Publishes a message in parts, for bodies larger than the available room: first the head, then publish_body() until
  /// the body is complete. The channel must carry nothing else in between. An incomplete message is never routed.
  Result<void> publish_head(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                            bool mandatory, const Properties& properties, std::size_t body_size);
  /// Sends from the front of `rest` while there is room, at most `most` bytes rounded up to a frame. Returns how many
  /// bytes were sent.
  Result<std::size_t> publish_body(std::uint16_t channel, std::string_view rest, std::size_t most = SIZE_MAX);

  Result<void> ack(std::uint16_t channel, std::uint64_t tag, bool multiple);
  Result<void> reject(std::uint16_t channel, std::uint64_t tag, bool requeue);
  /// Between the two calls, messages and acknowledgements are collected and written together, at the latest by
  /// end_writes(). Over TLS, where rabbitmq-c owns the socket, `several` makes writes share segments. In between, only
  /// publishing, settling, checking for room and heartbeats are allowed.
  void begin_writes(bool several);
  Result<void> end_writes();

  /// The next frame that has arrived; false if there is none. Also sends due heartbeats and detects missing ones, so it
  /// must be called regularly. The frame is valid until release().
  Result<bool> next_frame(amqp_frame_t& frame);
  /// Sends a heartbeat if one is due: for a caller that does not read frames for a while.
  Result<void> heartbeat(SteadyTime now);
  /// Frees the memory of a channel's frames.
  void release(std::uint16_t channel);
  /// Answers the broker's connection.close or channel.close.
  void answer_close(const amqp_frame_t& frame);
  /// Answers the channel.close that made perform() fail; after that the channel can be opened again.
  Result<void> answer_close(std::uint16_t channel);
  /// Closes the connection gracefully; blocks for at most the timeout.
  void close();

  // Defined in set_up.cpp; each blocks until the broker answers.
  /// Whether the exchange or queue exists, with whatever arguments. The channel stays usable in either case.
  Result<bool> has_exchange(std::uint16_t channel, const std::string& name);
  Result<bool> has_queue(std::uint16_t channel, const std::string& name);
  /// Number of consumers of a queue. An error closes the channel.
  Result<std::uint32_t> consumers(std::uint16_t channel, const std::string& queue);

 private:
  explicit Connection(amqp_connection_state_t state) : state_(state) {}
  Result<void> status(int code, const char* doing) const;
  Result<bool> found(std::uint16_t channel, const std::string& doing);
  amqp_connection_state_t state_ = nullptr;
  Result<void> write_gathered();
  int fd_ = -1;
  bool tls_ = false, gathering_ = false, corked_ = false;
  std::vector<std::string> passed_over_;
  Frames frames_;          // collected and not yet written; empty except between begin_writes() and end_writes()
  int broken_ = 0;         // errno of a failed write; nothing more is written after it
  std::size_t grant_ = 0;  // how much may be written after the kernel has reported room
  std::size_t room_ = 0;   // the unused part of grant_
  std::size_t frame_max_ = 4096;
  SteadyTime heartbeat_due_{};
};

/// Turns a broker's reply into a Result; the error is "403 ACCESS_REFUSED - …" if the broker refused.
Result<void> outcome_of(const amqp_rpc_reply_t& reply, const std::string& doing);
/// "403 ACCESS_REFUSED - …" from a connection.close or channel.close frame. Empty for other frames.
std::optional<std::string> close_text(const amqp_frame_t& frame);
/// The reply code of such a frame, or 0.
std::uint16_t close_code(const amqp_frame_t& frame);

}  // namespace nuropb::amqp
