// The transport's thread: frames and messages that came in, and what they mean.

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

tl::unexpected<Malformed> malformed(Refusal reason, std::string what, std::string where) {
  return tl::unexpected(Malformed{{std::move(what), std::move(where), {}}, reason});
}

}  // namespace

Result<void> TransportLoop::on_frame(const amqp_frame_t& frame) {
  if (const auto why = amqp::close_text(frame)) {
    const auto code = amqp::close_code(frame);
    const bool channel = frame.channel != 0;
    connection_->answer_close(frame);
    // 403 and 404 on a channel are about what we declare and use: the same again would end the same way.
    closed_ = Ended{{channel ? "the broker closed a channel: " + *why : "the broker closed the connection: " + *why, {}, {}},
                    channel && (code == 403 || code == 404)};
    return {};
  }
  if (frame.frame_type == AMQP_FRAME_METHOD) {
    switch (frame.payload.method.id) {
      case AMQP_BASIC_ACK_METHOD: {
        const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
        unconfirmed_.confirmed(ack->delivery_tag, ack->multiple);
        break;
      }
      case AMQP_BASIC_NACK_METHOD: {
        const auto* nack = static_cast<const amqp_basic_nack_t*>(frame.payload.method.decoded);
        unconfirmed_.refused(nack->delivery_tag, nack->multiple);
        break;
      }
      case AMQP_BASIC_CANCEL_METHOD:
        // A queue of ours was deleted, or its node is gone: declared anew on a new connection.
        return failure("the broker cancelled a consumer: its queue was deleted", "connection to the broker");
      case AMQP_CONNECTION_BLOCKED_METHOD: {
        const auto* blocked = static_cast<const amqp_connection_blocked_t*>(frame.payload.method.decoded);
        blocked_ = true;
        set_state(State::blocked, "the broker takes no messages: " + std::string(amqp::view(blocked->reason)));
        break;
      }
      case AMQP_CONNECTION_UNBLOCKED_METHOD:
        blocked_ = false;
        set_state(State::ready, "the broker takes messages again");
        break;
      default: break;
    }
  }
  Assembler* frames = nullptr;
  switch (frame.channel) {
    case publish_channel: frames = &publish_frames_; break;
    case response_channel: frames = &response_frames_; break;
    case service_channel: frames = &service_frames_; break;
    default: return {};
  }
  const std::uint16_t channel = frame.channel;
  auto message = frames->take(frame);
  // Memory of a channel's frames can be given back between messages only.
  if (message || (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id != AMQP_BASIC_DELIVER_METHOD &&
                  frame.payload.method.id != AMQP_BASIC_RETURN_METHOD)) {
    connection_->release(channel);
  }
  if (message) on_message(channel, std::move(*message));
  return {};
}

void TransportLoop::on_message(std::uint16_t channel, AssembledMessage&& message) {
  something_ran_ = true;
  if (message.returned) {
    unconfirmed_.returned(message.properties.correlation_id, std::move(message.reason), std::move(message.body));
    return;
  }
  Incoming in;
  in.routing_key = std::move(message.routing_key);
  in.redelivered = message.redelivered;
  in.body = std::move(message.body);
  in.delivery = {epoch_, channel, message.delivery_tag};
  auto read = read_properties(std::move(message.properties), in);
  if (read && message.too_large) read = malformed(Refusal::too_large, "is larger than 64 MiB", "message body");
  if (read && (channel == response_channel) != (in.type == MessageType::response)) {
    read = malformed(Refusal::queue, "a " + std::string(to_text(in.type)) + " came to this queue", "header nuropb_type");
  }
  if (!read) return refuse(in, read.error());
  if (channel == response_channel) {
    if (callbacks_.on_response) callbacks_.on_response(std::move(in));
    else inbox_->settle({in.delivery, TransportInbox::Verdict::ack, false, 0});
  } else {
    if (callbacks_.on_service_message) callbacks_.on_service_message(std::move(in));
    else inbox_->settle({in.delivery, TransportInbox::Verdict::reject, false, 0});
  }
}

/// A message that can't be what it should be: out of the way, answered if somebody waits, told now and then.
void TransportLoop::refuse(const Incoming& message, const Malformed& why) {
  refusals_.note(why.reason, why.text(), message.routing_key, message.correlation_id);
  if (message.delivery.channel == response_channel) return inbox_->settle({message.delivery, TransportInbox::Verdict::ack, false, 0});
  answer_refused(message, why);
  inbox_->settle({message.delivery, TransportInbox::Verdict::reject, false, 0});
}

void TransportLoop::answer_refused(const Incoming& message, const Error& why) {
  if (message.reply_to.empty() || message.type != MessageType::request) return;
  Outgoing answer;
  answer.type = MessageType::response;
  answer.routing_key = message.reply_to;
  answer.correlation_id = message.correlation_id;
  if (message.trace_id.size() <= longest_trace_header) answer.trace_id = message.trace_id;
  const std::string error = error_json(error_name::message, why.text());
  const std::string trace = json::quoted(message.trace_id);
  answer.body = encode_response({"null", error, message.correlation_id, trace, "{}", "null", ""});
  (void)inbox_->push(std::move(answer));
}

}  // namespace nuropb::mesh
