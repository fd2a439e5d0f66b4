#include "meshd/mesh/assembler.hpp"

namespace nuropb::mesh {

std::optional<AssembledMessage> Assembler::take(const amqp_frame_t& frame) {
  switch (frame.frame_type) {
    case AMQP_FRAME_METHOD:
      if (frame.payload.method.id == AMQP_BASIC_DELIVER_METHOD) {
        const auto* d = static_cast<const amqp_basic_deliver_t*>(frame.payload.method.decoded);
        current_.emplace();
        current_->delivery_tag = d->delivery_tag;
        current_->redelivered = d->redelivered;
        current_->routing_key = amqp::view(d->routing_key);
      } else if (frame.payload.method.id == AMQP_BASIC_RETURN_METHOD) {
        const auto* r = static_cast<const amqp_basic_return_t*>(frame.payload.method.decoded);
        current_.emplace();
        current_->returned = true;
        current_->routing_key = amqp::view(r->routing_key);
        current_->reason = std::to_string(r->reply_code) + " " + std::string(amqp::view(r->reply_text));
      }
      header_seen_ = false;
      return {};
    case AMQP_FRAME_HEADER:
      if (!current_ || header_seen_) return {};
      header_seen_ = true;
      remaining_ = frame.payload.properties.body_size;
      current_->too_large = remaining_ > max_body_;
      if (!current_->too_large) current_->body.reserve(static_cast<std::size_t>(remaining_));
      current_->properties =
          received_properties(*static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded));
      return remaining_ == 0 ? finished() : std::nullopt;
    case AMQP_FRAME_BODY: {
      if (!current_ || !header_seen_) return {};
      const std::string_view part =
          amqp::view(frame.payload.body_fragment).substr(0, static_cast<std::size_t>(remaining_));
      if (!current_->too_large) current_->body.append(part);
      remaining_ -= part.size();
      return remaining_ == 0 ? finished() : std::nullopt;
    }
    default: return {};
  }
}

std::optional<AssembledMessage> Assembler::finished() {
  std::optional<AssembledMessage> out = std::move(current_);
  current_.reset();
  return out;
}

}  // namespace nuropb::mesh
