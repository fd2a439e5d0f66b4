#pragma once
// What a ConsumerHandler reports to the rest of the edge. Called on the thread of the edge's io_context; none of the calls
// destroys the handler.

#include <optional>
#include <string_view>

#include "common/clock.hpp"

namespace nuropb::edge {

class ConsumerHandler;

class SessionEvents {
 public:
  virtual ~SessionEvents() = default;
  /// The first message of a socket that has presented no token yet.
  virtual void on_first_message(ConsumerHandler& handler, std::string_view text) = 0;
  /// Nothing, once the message was processed. Else it can't be now: the handler pauses it, and it is resumed when it can, or
  /// at this time, when its sender stops waiting.
  virtual std::optional<SteadyTime> on_message(ConsumerHandler& handler, std::string_view text, SteadyTime arrived) = 0;
  /// Messages are paused, and so is reading.
  virtual void on_paused(ConsumerHandler& handler) = 0;
  /// Paused messages are about to be processed: what has to be sent before them is sent now.
  virtual void on_resuming(ConsumerHandler& handler) = 0;
  /// No message is paused any more.
  virtual void on_resumed(ConsumerHandler& handler) = 0;
  /// The socket is closing: nothing more is sent to it. It may happen more than once.
  virtual void on_closing(ConsumerHandler& handler) = 0;
  /// The socket has closed, and its handler ends when this returns. `lost`: its client did not mean to leave, and may
  /// resume.
  virtual void on_closed(ConsumerHandler& handler, bool lost) = 0;
};

}  // namespace nuropb::edge
