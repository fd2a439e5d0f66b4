// The transport's thread: received frames and messages, and their interpretation.

#include "common/error_names.hpp"
#include "common/log.hpp"
#include "meshd/mesh/transport_loop.hpp"

namespace nuropb::mesh {
namespace {

tl::unexpected<Malformed> malformed(Refusal reason, std::string what, std::string where) {
  return tl::unexpected(Malformed{{std::move(what), std::move(where), {}}, reason});
}

/// Whether a message of this type may arrive on this queue.
bool belongs(MessageType type, std::uint16_t trade) {
  switch (trade) {
    case response_channel: return type == MessageType::response;
    case events_channel: return type == MessageType::event;
    case service_channel: return type != MessageType::response;
    default: return false;
  }
}

}  // namespace

Result<void> TransportLoop::on_frame(const amqp_frame_t& frame) {
  if (frame.frame_type == AMQP_FRAME_METHOD) {
    if (const auto done = on_method(frame); !done || closed_) return done;
  }
  if (!ours(frame.channel)) return {};
  const std::uint16_t channel = frame.channel;
  auto message = channels_[channel].frames.take(frame);
  // The memory of a channel's frames can be freed between messages only.
  if (message || (frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id != AMQP_BASIC_DELIVER_METHOD &&
                  frame.payload.method.id != AMQP_BASIC_RETURN_METHOD)) {
    connection_->release(channel);
  }
  if (message) on_message(channel, std::move(*message));
  return {};
}

void TransportLoop::on_message(std::uint16_t channel, AssembledMessage&& message) {
  Participant& to = of(channel);
  const std::uint16_t trade = trade_of(channel);
  to.something_ran = moved_ = true;
  scheduling_.handled(1);
  if (message.returned) {
    unconfirmed_of(channel).returned(message.properties.correlation_id, std::move(message.reason),
                                     std::move(message.body));
    return;
  }
  if (trade != events_channel) channels_[channel].unsettled.delivered(message.delivery_tag);
  Incoming in;
  in.routing_key = std::move(message.routing_key);
  in.redelivered = message.redelivered;
  in.body = std::move(message.body);
  in.delivery = {channels_[channel].epoch, channel, message.delivery_tag};
  auto read = read_properties(std::move(message.properties), in);
  if (read && message.too_large)
    read = malformed(Refusal::too_large, "is larger than " + std::to_string(settings_.largest_body) + " bytes",
                     "message body");
  if (read && !belongs(in.type, trade)) {
    read = malformed(Refusal::queue, "a " + std::string(to_text(in.type)) + " arrived on this queue",
                     "header nuropb_type");
  }
  if (read && trade == response_channel && in.correlation_id.empty())
    read = malformed(Refusal::protocol, "is missing", "correlation_id of a response");
  if (!read) return refuse(to, in, read.error());
  if (trade == response_channel) {
    expect_more();  // it will be acknowledged soon
    if (to.callbacks.on_response) to.callbacks.on_response(std::move(in));
    else to.inbox->settle({in.delivery, TransportInbox::Verdict::ack, false, 0});
  } else if (trade == events_channel) {
    if (to.callbacks.on_event) to.callbacks.on_event(std::move(in));
  } else {
    if (to.callbacks.on_service_message) to.callbacks.on_service_message(std::move(in));
    else to.inbox->settle({in.delivery, TransportInbox::Verdict::reject, false, 0});
  }
}

/// Handles a malformed message: settles it, answers if a requester waits, logs at a limited rate.
void TransportLoop::refuse(Participant& to, const Incoming& message, const Malformed& why) {
  to.refusals.note(why.reason, why.text(), message.routing_key, message.correlation_id);
  const std::uint16_t trade = trade_of(message.delivery.channel);
  if (trade == events_channel) return;  // acknowledged automatically
  if (trade == response_channel) return to.inbox->settle({message.delivery, TransportInbox::Verdict::ack, false, 0});
  answer_refused(to, message, why);
  to.inbox->settle({message.delivery, TransportInbox::Verdict::reject, false, 0});
}

void TransportLoop::answer_refused(Participant& to, const Incoming& message, const Error& why) {
  if (message.reply_to.empty() || message.type != MessageType::request) return;
  Outgoing answer;
  answer.type = MessageType::response;
  answer.routing_key = message.reply_to;
  answer.correlation_id = message.correlation_id;
  if (message.trace_id.size() <= longest_trace_header) answer.trace_id = message.trace_id;
  const std::string error = error_json(error_name::message, why.text());
  const std::string trace = json::quoted(message.trace_id);
  answer.body = encode_response({"null", error, message.correlation_id, trace, "{}", "null", ""});
  (void)to.inbox->push(std::move(answer));
}

}  // namespace nuropb::mesh
