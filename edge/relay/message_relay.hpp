#pragma once
// Passes the messages of one protocol on to meshd.

#include <optional>
#include <string_view>

#include "common/clock.hpp"

namespace nuropb::edge {

class ConsumerHandler;

class MessageRelay {
 public:
  virtual ~MessageRelay() = default;
  /// As SessionEvents::on_message.
  virtual std::optional<SteadyTime> on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) = 0;
};

}  // namespace nuropb::edge
