#pragma once
// Puts a message together from the frames of one channel: method, header, bodies. Bounded, and never waits: frames of
// several channels may come in any order (rabbitmq-c's own amqp_read_message waits for the rest, which we must not).

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
  std::string reason;  ///< of a return: "312 NO_ROUTE"
  ReceivedProperties properties;
  std::string body;
  bool too_large = false;  ///< the body was over the bound and has been dropped
};

class Assembler {
 public:
  explicit Assembler(std::size_t max_body) : max_body_(max_body) {}
  /// Takes a frame of this channel; a whole message, once its last byte is there. Frames that make no sense are
  /// ignored: the broker is trusted to speak AMQP, not to be free of surprises.
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
