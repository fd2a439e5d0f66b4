#pragma once
// Encodes frames into a buffer, so that many messages are sent in one write. rabbitmq-c's own functions write each of a
// message's three frames with a system call; only its encoder is used here (AMQP 0-9-1, section 4.2).

#include <cstdint>
#include <string>
#include <string_view>

#include "meshd/amqp/rabbitmq_c.hpp"

namespace nuropb::amqp {

class Frames {
 public:
  /// `frame_max` as negotiated with the broker.
  void set_frame_max(std::size_t frame_max) { frame_max_ = frame_max; }
  /// Appends a whole message. Returns false, and appends nothing, if rabbitmq-c cannot encode it.
  bool publish(std::uint16_t channel, amqp_basic_publish_t method, const amqp_basic_properties_t& properties,
               std::string_view body);
  bool method(std::uint16_t channel, amqp_method_number_t id, void* decoded);

  [[nodiscard]] std::string_view bytes() const { return {buffer_.data(), used_}; }
  [[nodiscard]] bool empty() const { return used_ == 0; }
  void clear() { used_ = 0; }

 private:
  char* room(std::size_t size);
  void close(std::size_t begin, char type, std::uint16_t channel, std::size_t payload);
  bool header(std::uint16_t channel, const amqp_basic_properties_t& properties, std::uint64_t body_size);
  std::string buffer_;  // keeps its capacity
  std::size_t used_ = 0;
  std::size_t frame_max_ = 4096;
};

}  // namespace nuropb::amqp
