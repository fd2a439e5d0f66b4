// Looking at what is there on the broker: for setting it up, and for what a refused declaration is about.

#include "meshd/amqp/connection.hpp"

namespace nuropb::amqp {

/// The answer to a passive declaration: the broker says no with a 404 that closes the channel, which is opened again.
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
  if (const auto done = outcome_of(amqp_get_rpc_reply(state_), "looking at queue " + queue); !done)
    return tl::unexpected(done.error());
  return said ? said->consumer_count : 0;
}

}  // namespace nuropb::amqp
