#pragma once
// A consumer's connection as the HandlerManager knows it, of whatever kind: one session, one user, messages out.
// ConsumerHandler, which serves WebSockets and lines, is one kind.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/ids.hpp"

namespace nuropb::edge {

class SharedMessage;

class Handler {
 public:
  virtual ~Handler() = default;
  [[nodiscard]] virtual const SessionId& session_id() const = 0;
  [[nodiscard]] virtual const std::string& user_id() const = 0;
  /// JSON text. Neither this nor close() destroys the handler before it returns: the end of a connection is always
  /// told later, from the event loop; but each may unregister it. A connection whose peer does not read is closed rather than grown (limits.send_queue_bytes).
  virtual void write_message(std::string_view text) = 0;
  /// A message that others get too, framed once for all (shared_message.hpp). False if this one does not take it: it is
  /// closing, or was closed over it.
  virtual bool write_shared(SharedMessage& message) = 0;
  /// Its messages come from meshd one by one, numbered (design.md, Resume); it is left out of what all get.
  [[nodiscard]] virtual bool numbered() const { return false; }
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  /// Asks the processor for memory that the next message will need, as far as the last step has brought what leads there
  /// (ahead.hpp). Steps are 0 to 2, after the handler's own memory.
  virtual void fetch(unsigned step) const { (void)step; }
};

}  // namespace nuropb::edge
