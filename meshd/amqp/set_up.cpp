// Passive declarations: what exists on the broker, for setting it up and for explaining a refused declaration.

#include "meshd/amqp/connection.hpp"

namespace nuropb::amqp {

/// The result of a passive declaration. If the object does not exist the broker closes the channel with 404, and the
/// channel is reopened.
Result<bool> Connection::found(std::uint16_t channel, const std::string& doing) {
  const auto done = outcome_of(amqp_get_rpc_reply(state_), doing);
  if (done) return true;
  if (!done.error().what.starts_with("404 ")) return tl::unexpected(done.error());
  if (const auto closed = answer_close(channel); !closed) return tl::unexpected(closed.error());
  if (const auto opened = perform(channel, Step::open()); !opened) return tl::unexpected(opened.error());
  return false;
}

Result<bool> Connection::has_exchange(std::uint16_t channel, const std::string& name) {
  amqp_exchange_declare(state_, channel, bytes(name), amqp_cstring_bytes("direct"), 1, 0, 0, 0, amqp_empty_table);
  return found(channel, "looking for exchange " + name);
}

Result<bool> Connection::has_queue(std::uint16_t channel, const std::string& name) {
  amqp_queue_declare(state_, channel, bytes(name), 1, 0, 0, 0, amqp_empty_table);
  return found(channel, "looking for queue " + name);
}

Result<std::uint32_t> Connection::consumers(std::uint16_t channel, const std::string& queue) {
  const auto* said = amqp_queue_declare(state_, channel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
  if (const auto done = outcome_of(amqp_get_rpc_reply(state_), "inspecting queue " + queue); !done)
    return tl::unexpected(done.error());
  return said ? said->consumer_count : 0;
}

}  // namespace nuropb::amqp
