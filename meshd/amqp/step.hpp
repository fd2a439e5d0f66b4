#pragma once
// One step of setting up a channel: opening, declaring, binding, consuming. It is a value, so that the same list of
// steps can be performed at start-up (waiting for each) and again on a live connection (sent, and answered by a frame
// later).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/clock.hpp"
#include "meshd/amqp/rabbitmq_c.hpp"

namespace nuropb::amqp {

struct QueueOptions {
  bool durable = false;
  std::string dead_letter_exchange;          ///< empty: none
  std::optional<milliseconds> expires;       ///< the broker deletes the queue if it is unused for this time
  std::optional<std::int32_t> max_length{};  ///< messages; the broker drops the oldest above it
  std::optional<std::int32_t> max_bytes{};   ///< total size of their bodies, likewise
  std::optional<milliseconds> message_ttl{};
  std::string type{};    ///< "classic", "quorum"; empty: the virtual host's default
  bool passive = false;  ///< declares nothing: the broker answers whether the queue exists, or 404
};

struct Step {
  enum class Kind {
    open_channel,
    confirm_select,
    prefetch,
    declare_exchange,
    declare_queue,
    bind,
    unbind,
    consume,
    cancel
  };
  Kind kind = Kind::open_channel;
  std::string name;      ///< exchange or queue
  std::string exchange;  ///< of a binding
  std::string key;       ///< routing key or topic pattern of a binding; type of an exchange; tag of a consumer
  QueueOptions queue{};
  std::uint16_t count = 0;  ///< prefetch
  bool exclusive = false;   ///< consume: fails if another consumer exists, and excludes later ones
  bool automatic = false;   ///< consume: messages count as acknowledged when they are sent

  static Step open() { return {}; }
  static Step confirms() { return of(Kind::confirm_select, {}); }
  static Step prefetch(std::uint16_t count);
  static Step declare_exchange(std::string name, std::string type) {
    return of(Kind::declare_exchange, std::move(name), {}, std::move(type));
  }
  static Step declare_queue(std::string name, QueueOptions options);
  static Step bind(std::string queue, std::string exchange, std::string key) {
    return of(Kind::bind, std::move(queue), std::move(exchange), std::move(key));
  }
  static Step unbind(std::string queue, std::string exchange, std::string key) {
    return of(Kind::unbind, std::move(queue), std::move(exchange), std::move(key));
  }
  static Step consume(std::string queue, std::string tag, bool exclusive, bool automatic = false);

  static Step cancel(std::string tag) { return of(Kind::cancel, {}, {}, std::move(tag)); }

  /// "binding queue q to e with 'k'", for errors.
  [[nodiscard]] std::string text() const;
  /// The method that the broker answers this step with.
  [[nodiscard]] amqp_method_number_t answer() const;
  /// Calls `use` with the method's number and rabbitmq-c's struct for it, which is valid during the call.
  void encode(const std::function<void(amqp_method_number_t, void*)>& use) const;
  /// Maximum size on the wire: each name has at most 255 bytes.
  static constexpr std::size_t largest = 2048;

 private:
  static Step of(Kind kind, std::string name, std::string exchange = {}, std::string key = {});
};

}  // namespace nuropb::amqp
