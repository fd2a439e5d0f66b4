#pragma once
// Consumers that speak JSON lines over TCP or TLS: a Connection (websocket.hpp) whose messages are lines.
//
//   Door (limits, PROXY header, TLS) ─► Guest ─► Connection ── lines ──► Receiver
//                                                    ◄── messages, each on one line; at the end `close` and FIN
//
// How such a connection ends: whoever closes it, the last line is {"type":"close","payload":{"code":…,"reason":…}}, then
// our side of TCP ends, and what the peer still sends is heard out for a moment, so that no reset takes that line from
// it. A peer that ends its own side first is not closed: it may be waiting for answers (Receiver::on_end()).
//
// Whether an idle peer is still there the kernel asks (keepalive, listen.ping_interval_s); whether one that is sent to
// takes anything it watches, too (TCP_USER_TIMEOUT). The protocol has no ping of its own. One thread.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "edge/door.hpp"
#include "edge/liveness.hpp"
#include "edge/websocket.hpp"

namespace nuropb::edge {

class LineListener {
 public:
  struct Settings {
    DoorSettings door;           ///< its `not_http` is set here
    std::uint32_t max_line = 0;  ///< limits.message_bytes
    Liveness::Limits liveness;   ///< ping and pong are the kernel's affair here
  };
  struct Closing {
    std::uint16_t code = 0;
    std::string reason;
  };
  struct Callbacks {
    /// Nobody is taken now, and why; code 0: come in.
    std::function<Closing(const std::string& peer)> admit;
    /// The connection lives until after on_close() of the receiver that is returned.
    std::function<std::unique_ptr<Receiver>(Connection&, const std::string& peer, const ClientCertificate& certificate)>
        on_open;
    /// A connection was refused, or gave up, before it was one of ours.
    std::function<void()> turned_away;
  };

  LineListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  ~LineListener();

  /// An empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  /// No new connections from now on; the open ones go on.
  void stop();
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The last line of a connection, with its end.
std::string encode_close_line(std::uint16_t code, std::string_view reason);

}  // namespace nuropb::edge
