#pragma once
// One AMQP 0-9-1 connection over rabbitmq-c: connecting with clear errors, and frames in and out without waiting.
//
// Opening and declaring wait for the broker's answers (bounded by the timeouts). Nothing else waits as long as the caller
// asks for room before it writes (README.md, "How a write is kept from waiting"). Confined to the thread that uses it.
// Errors never contain the password.

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
/// A text among the arguments of a method, or the headers of a message.
inline amqp_table_entry_t text_entry(std::string_view key, std::string_view value) {
  amqp_table_entry_t entry{};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = bytes(value);
  return entry;
}

/// A message's properties, as the publisher sees them.
struct Properties {
  std::string_view correlation_id, reply_to, expiration;  ///< empty: not set
  std::optional<std::uint8_t> priority;
  /// NuroPb's headers, all strings.
  std::vector<std::pair<std::string_view, std::string_view>> headers;
};

class Connection {
 public:
  static constexpr std::uint16_t most_channels = 48;  ///< that are asked for; RabbitMQ would allow 2,047
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
  /// Addresses of the broker's name that did not answer before the one that did.
  [[nodiscard]] const std::vector<std::string>& passed_over() const { return passed_over_; }

  /// What was agreed with the broker: bytes of a frame, and how many channels there may be.
  [[nodiscard]] std::size_t frame_max() const { return frame_max_; }
  [[nodiscard]] std::size_t channel_max() const;

  /// Takes a step and waits for the broker's answer. On an error the channel is closed by the broker.
  Result<void> perform(std::uint16_t channel, const Step& step);
  /// Sends a step; its answer() comes as a frame. Ask for Step::largest of room before.
  Result<void> send(std::uint16_t channel, const Step& step);
  // The steps by name, waiting.
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

  /// True if `wanted` bytes, at most largest_write(), can be written now without waiting for the broker to read. Asks
  /// the kernel only when what it granted the last time is used up. When it says false, POLLOUT tells when to ask again.
  bool send_room(std::size_t wanted);
  [[nodiscard]] std::size_t largest_write() const { return grant_; }
  /// What a message takes beside its body, at most, if publishable() has nothing against it.
  static constexpr std::size_t publish_overhead = 8192;

  /// What is wrong with a message that AMQP has no way to carry, or this connection has none, since its properties are one
  /// frame: nothing of it must be sent then.
  [[nodiscard]] Result<void> publishable(std::string_view routing_key, const Properties& properties) const {
    return publishable(routing_key, properties, frame_max_);
  }
  static Result<void> publishable(std::string_view routing_key, const Properties& properties, std::size_t frame_max);
  /// A whole message at once; ask for room for body and overhead before.
  Result<void> publish(std::uint16_t channel, std::string_view exchange, std::string_view routing_key, bool mandatory,
                       const Properties& properties, std::string_view body);
  /// The same with properties that no peer of ours sends: for tests.
  Result<void> publish_raw(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                           const amqp_basic_properties_t& properties, std::string_view body);
  /// A message in parts, for bodies larger than there can be room for: head first, then the body until all of it is
  /// gone; the channel must carry nothing else in between. A message that stays incomplete is never routed.
  Result<void> publish_head(std::uint16_t channel, std::string_view exchange, std::string_view routing_key,
                            bool mandatory, const Properties& properties, std::size_t body_size);
  /// Sends from the front of `rest` while there is room, at most `most` bytes or a frame more; returns how many have gone.
  Result<std::size_t> publish_body(std::uint16_t channel, std::string_view rest, std::size_t most = SIZE_MAX);

  Result<void> ack(std::uint16_t channel, std::uint64_t tag, bool multiple);
  Result<void> reject(std::uint16_t channel, std::uint64_t tag, bool requeue);
  /// Between the two, messages and verdicts are gathered and go in few writes, at the latest with end_writes(); over TLS,
  /// whose socket is rabbitmq-c's alone, `several` share segments. Nothing else may be called in between but what
  /// publishes, settles, asks for room, or sends a heartbeat.
  void begin_writes(bool several);
  Result<void> end_writes();

  /// The next frame that has arrived, or nothing. Also sends heartbeats when they are due and notices missing ones,
  /// so it has to be called now and then. The frame is valid until release().
  Result<bool> next_frame(amqp_frame_t& frame);
  /// Sends a heartbeat if one is due: for a caller that does not read frames for a while.
  Result<void> heartbeat(SteadyTime now);
  /// Gives the memory of a channel's frames back.
  void release(std::uint16_t channel);
  /// Answers the broker's connection.close or channel.close.
  void answer_close(const amqp_frame_t& frame);
  /// Answers a channel.close that perform() failed with; the channel can be opened again then.
  Result<void> answer_close(std::uint16_t channel);
  /// Says goodbye; waits for at most the timeout.
  void close();

  // set_up.cpp; each waits for the broker's answer.
  /// Whether it is there, whatever its arguments. The channel is as good as before in either case.
  Result<bool> has_exchange(std::uint16_t channel, const std::string& name);
  Result<bool> has_queue(std::uint16_t channel, const std::string& name);
  /// How many consumers a queue has. An error closes the channel.
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
  Frames frames_;          // gathered, not yet written; empty but between begin_writes() and end_writes()
  int broken_ = 0;         // errno of a write of ours: nothing more is written
  std::size_t grant_ = 0;  // what may be written after the kernel has said that there is room
  std::size_t room_ = 0;   // what is left of it
  std::size_t frame_max_ = 4096;
  SteadyTime heartbeat_due_{};
};

/// What an answer that was waited for says; "403 ACCESS_REFUSED - …" where the broker said no.
Result<void> outcome_of(const amqp_rpc_reply_t& reply, const std::string& doing);
/// "403 ACCESS_REFUSED - …" of a connection.close or channel.close frame, or nothing if it is neither.
std::optional<std::string> close_text(const amqp_frame_t& frame);
/// Its reply code, or 0.
std::uint16_t close_code(const amqp_frame_t& frame);

}  // namespace nuropb::amqp
