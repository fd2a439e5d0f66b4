#pragma once
// Which connections become sessions: path, origin, limits, and whether a token is there. The token itself is authenticated by
// meshd. What a WebSocket handshake is refused for with a status, a JSON-lines connection is refused for with a close code.
//
// Owner thread: the edge's io_context.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "edge/transport/line_listener.hpp"
#include "edge/protocol/call_protocol.hpp"
#include "edge/protocol/nuropb_protocol.hpp"
#include "edge/protocol/snorky_protocol.hpp"
#include "edge/protocol/token_source.hpp"
#include "edge/sessions/new_session.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class DrainController;
class GuessGuard;
class MeshLink;
class SessionSlots;
class SilentSockets;

class Admission {
 public:
  /// `is_own_page`: whether an origin is the console's, which needs no entry in listen.origins.
  Admission(const Config& config, MeshLink& link, const SessionSlots& slots, SilentSockets& silent, GuessGuard& guesses,
            const DrainController& drain, std::function<bool(std::string_view origin)> is_own_page);

  /// True: the handshake goes on, and `refusal.protocol` names the subprotocol. Else `refusal` is the answer.
  bool admit(const Handshake& handshake, HttpAnswer& refusal);
  /// The same for a call over HTTP, except for its origin. `has_place`: its connection has a session, which ends in favor of the new
  /// one.
  bool admit_call(const Handshake& request, const std::optional<FoundToken>& token, bool has_place,
                  HttpAnswer& refusal) const;
  /// Code 0: the connection is accepted.
  [[nodiscard]] LineListener::Closing admit_line(std::string_view peer);

  // The sessions of connections that were admitted.
  [[nodiscard]] NewSession session_of(const Handshake& handshake) const;
  [[nodiscard]] NewSession session_of_line(const std::string& peer, const ClientCertificate& certificate) const;
  [[nodiscard]] NewSession session_of_call(const Handshake& request, FoundToken token) const;

  /// The token of a call is in the header for tokens, or its client presents a certificate. It is never in a cookie, which a
  /// browser would send for any page.
  [[nodiscard]] std::optional<FoundToken> token_of_call(const Handshake& request) const;

 private:
  void check(const Handshake& handshake, HttpAnswer& refusal);
  [[nodiscard]] bool at_snorky(const Handshake& handshake) const;
  [[nodiscard]] std::optional<FoundToken> token_of(const Handshake& handshake) const;

  const Config& config_;
  MeshLink& link_;
  const SessionSlots& slots_;
  SilentSockets& silent_;
  GuessGuard& guesses_;
  const DrainController& drain_;
  std::function<bool(std::string_view)> is_own_page_;
  NuropbProtocol nuropb_;
  CallProtocol calls_;
  SnorkyProtocol snorky_;
};

}  // namespace nuropb::edge
