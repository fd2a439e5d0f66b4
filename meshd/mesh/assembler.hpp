#pragma once
// Assembles messages from the frames of one channel: method, header, bodies. Bounded, and never blocks: frames of
// several channels may be interleaved (rabbitmq-c's amqp_read_message would block for the rest).

#include <cstdint>
#include <optional>
#include <string>

#include "meshd/amqp/connection.hpp"
#include "meshd/mesh/wire.hpp"

namespace nuropb::mesh {

struct AssembledMessage {
  bool returned = false;  ///< basic.return; else basic.deliver
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string routing_key;
  std::string reason;  ///< for a returned message: "312 NO_ROUTE"
  ReceivedProperties properties;
  std::string body;
  bool too_large = false;  ///< the body exceeded the limit and was dropped
};

class Assembler {
 public:
  explicit Assembler(std::size_t max_body) : max_body_(max_body) {}
  /// Takes a frame of this channel and returns a message when its last byte has arrived. Unexpected frames are ignored:
  /// the broker is trusted, but must not be able to crash us.
  std::optional<AssembledMessage> take(const amqp_frame_t& frame);
  void reset() { current_.reset(); }

 private:
  std::optional<AssembledMessage> finished();
  std::size_t max_body_;
  std::optional<AssembledMessage> current_;
  bool header_seen_ = false;
  std::uint64_t remaining_ = 0;
};

}  // namespace nuropb::mesh
