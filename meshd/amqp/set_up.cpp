// What only those need of a connection who set a broker up: looking for what may be missing.

#include <amqp.h>
#include <amqp_framing.h>

#include "meshd/amqp/connection.hpp"

namespace nuropb::amqp {
namespace {

Result<void> answer(amqp_connection_state_t state, const std::string& doing) {
  const auto reply = amqp_get_rpc_reply(state);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return failure(amqp_error_string2(reply.library_error), doing);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_channel_close_t*>(reply.reply.decoded);
    return failure(std::to_string(close->reply_code) + " " + std::string(view(close->reply_text)), doing);
  }
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
    return failure("the broker closed the connection: " + std::to_string(close->reply_code) + " " + std::string(view(close->reply_text)), doing);
  }
  return failure("no answer", doing);
}

/// The answer to a passive declaration: the broker says no with a 404 that closes the channel, which is opened again.
Result<bool> found(amqp_connection_state_t state, std::uint16_t channel, const std::string& doing) {
  const auto done = answer(state, doing);
  if (done) return true;
  if (!done.error().what.starts_with("404 ")) return tl::unexpected(done.error());
  amqp_channel_close_ok_t ok{};
  if (const int sent = amqp_send_method(state, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok); sent != AMQP_STATUS_OK) return failure(amqp_error_string2(sent), doing);
  amqp_channel_open(state, channel);
  if (const auto opened = answer(state, doing); !opened) return tl::unexpected(opened.error());
  return false;
}

}  // namespace

Result<bool> Connection::has_exchange(std::uint16_t channel, const std::string& name) {
  amqp_exchange_declare(state_, channel, bytes(name), amqp_cstring_bytes("direct"), 1, 0, 0, 0, amqp_empty_table);
  return found(state_, channel, "looking for exchange " + name);
}

Result<bool> Connection::has_queue(std::uint16_t channel, const std::string& name) {
  amqp_queue_declare(state_, channel, bytes(name), 1, 0, 0, 0, amqp_empty_table);
  return found(state_, channel, "looking for queue " + name);
}

Result<void> Connection::make_exchange(std::uint16_t channel, const std::string& name, const char* type) {
  amqp_exchange_declare(state_, channel, bytes(name), amqp_cstring_bytes(type), 0, 1, 0, 0, amqp_empty_table);
  return answer(state_, "declaring exchange " + name);
}

}  // namespace nuropb::amqp
