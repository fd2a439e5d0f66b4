#include "meshd/amqp/step.hpp"

#include <array>
#include <utility>

#include "meshd/amqp/connection.hpp"

namespace nuropb::amqp {
namespace {

amqp_table_entry_t number_entry(std::string_view key, std::int64_t value) {
  amqp_table_entry_t entry{};
  entry.key = bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_I32;
  entry.value.value.i32 = static_cast<std::int32_t>(value);
  return entry;
}

}  // namespace

Step Step::of(Kind kind, std::string name, std::string exchange, std::string key) {
  Step step;
  step.kind = kind;
  step.name = std::move(name);
  step.exchange = std::move(exchange);
  step.key = std::move(key);
  return step;
}
Step Step::prefetch(std::uint16_t count) {
  Step step = of(Kind::prefetch, {});
  step.count = count;
  return step;
}
Step Step::declare_queue(std::string name, QueueOptions options) {
  Step step = of(Kind::declare_queue, std::move(name));
  step.queue = std::move(options);
  return step;
}
Step Step::consume(std::string queue, std::string tag, bool exclusive, bool automatic) {
  Step step = of(Kind::consume, std::move(queue), {}, std::move(tag));
  step.exclusive = exclusive;
  step.automatic = automatic;
  return step;
}

std::string Step::text() const {
  switch (kind) {
    case Kind::open_channel: return "opening a channel";
    case Kind::confirm_select: return "enabling publisher confirms";
    case Kind::prefetch: return "setting the prefetch";
    case Kind::declare_exchange: return "declaring exchange " + name;
    case Kind::declare_queue: return "declaring queue " + name;
    case Kind::bind: return "binding queue " + name + " to " + exchange + (key.empty() ? "" : " with '" + key + "'");
    case Kind::unbind:
      return "unbinding queue " + name + " from " + exchange + (key.empty() ? "" : " with '" + key + "'");
    case Kind::consume: return "consuming from queue " + name;
    case Kind::cancel: return "cancelling consumer " + key;
  }
  return {};
}

amqp_method_number_t Step::answer() const {
  switch (kind) {
    case Kind::open_channel: return AMQP_CHANNEL_OPEN_OK_METHOD;
    case Kind::confirm_select: return AMQP_CONFIRM_SELECT_OK_METHOD;
    case Kind::prefetch: return AMQP_BASIC_QOS_OK_METHOD;
    case Kind::declare_exchange: return AMQP_EXCHANGE_DECLARE_OK_METHOD;
    case Kind::declare_queue: return AMQP_QUEUE_DECLARE_OK_METHOD;
    case Kind::bind: return AMQP_QUEUE_BIND_OK_METHOD;
    case Kind::unbind: return AMQP_QUEUE_UNBIND_OK_METHOD;
    case Kind::consume: return AMQP_BASIC_CONSUME_OK_METHOD;
    case Kind::cancel: return AMQP_BASIC_CANCEL_OK_METHOD;
  }
  return 0;
}

void Step::encode(const std::function<void(amqp_method_number_t, void*)>& use) const {
  switch (kind) {
    case Kind::open_channel: {
      amqp_channel_open_t m{};
      return use(AMQP_CHANNEL_OPEN_METHOD, &m);
    }
    case Kind::confirm_select: {
      amqp_confirm_select_t m{};
      return use(AMQP_CONFIRM_SELECT_METHOD, &m);
    }
    case Kind::prefetch: {
      amqp_basic_qos_t m{};
      m.prefetch_count = count;
      return use(AMQP_BASIC_QOS_METHOD, &m);
    }
    case Kind::declare_exchange: {
      amqp_exchange_declare_t m{};
      m.exchange = bytes(name);
      m.type = bytes(key);
      m.durable = 1;
      return use(AMQP_EXCHANGE_DECLARE_METHOD, &m);
    }
    case Kind::declare_queue: {
      std::array<amqp_table_entry_t, 6> entries;
      std::size_t n = 0;
      if (!queue.dead_letter_exchange.empty())
        entries[n++] = text_entry("x-dead-letter-exchange", queue.dead_letter_exchange);
      if (!queue.type.empty()) entries[n++] = text_entry("x-queue-type", queue.type);
      if (queue.expires) entries[n++] = number_entry("x-expires", queue.expires->count());
      if (queue.max_length) entries[n++] = number_entry("x-max-length", *queue.max_length);
      if (queue.max_bytes) entries[n++] = number_entry("x-max-length-bytes", *queue.max_bytes);
      if (queue.message_ttl) entries[n++] = number_entry("x-message-ttl", queue.message_ttl->count());
      amqp_queue_declare_t m{};
      m.queue = bytes(name);
      m.durable = queue.durable;
      m.passive = queue.passive;
      m.arguments = {static_cast<int>(n), entries.data()};
      return use(AMQP_QUEUE_DECLARE_METHOD, &m);
    }
    case Kind::bind: {
      amqp_queue_bind_t m{};
      m.queue = bytes(name);
      m.exchange = bytes(exchange);
      m.routing_key = bytes(key);
      return use(AMQP_QUEUE_BIND_METHOD, &m);
    }
    case Kind::unbind: {
      amqp_queue_unbind_t m{};
      m.queue = bytes(name);
      m.exchange = bytes(exchange);
      m.routing_key = bytes(key);
      return use(AMQP_QUEUE_UNBIND_METHOD, &m);
    }
    case Kind::consume: {
      amqp_basic_consume_t m{};
      m.queue = bytes(name);
      m.consumer_tag = bytes(key);
      m.exclusive = exclusive;
      m.no_ack = automatic;
      return use(AMQP_BASIC_CONSUME_METHOD, &m);
    }
    case Kind::cancel: {
      amqp_basic_cancel_t m{};
      m.consumer_tag = bytes(key);
      return use(AMQP_BASIC_CANCEL_METHOD, &m);
    }
  }
}

}  // namespace nuropb::amqp
