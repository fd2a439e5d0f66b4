#pragma once
// What is known of a connection when its session begins. The listener of each transport provides it, by way of Admission.

#include <optional>
#include <string>

#include "common/clock.hpp"
#include "common/handler_kinds.hpp"
#include "edge/protocol/token_source.hpp"

namespace nuropb::edge {

class ConsumerProtocol;

struct NewSession {
  /// The mesh identity that serves the session, whatever its transport is.
  HandlerKind identity = HandlerKind::web_socket;
  /// The protocol of its messages. Outlives all sessions.
  const ConsumerProtocol* protocol = nullptr;
  /// Nothing: the first message has to contain the token.
  std::optional<FoundToken> token{};
  /// The client's address, with its port unless a proxy's header told it.
  std::string peer{};
  /// W3C traceparent of the handshake; empty: it had none.
  std::string traceparent{};
  /// How long a socket without a token may take for its first message.
  milliseconds first_message_limit{};
  /// The first message may be the bare token in place of an authorize message.
  bool bare_token_allowed = false;
};

}  // namespace nuropb::edge
