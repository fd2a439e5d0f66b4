#pragma once
// Clients that speak JSON lines over TCP or TLS: a Connection (websocket.hpp) whose messages are lines.
//
//   Door (limits, PROXY header, TLS) ─► Guest ─► Connection ── lines ──► Receiver
//                                                    ◄── messages, each on one line; at the end `close` and FIN
//
// How a connection ends: whichever side closes it, the last line is {"type":"close","payload":{"code":…,"reason":…}},
// followed by our FIN and a lingering close, so that no reset destroys that line. A peer that ends its own side first
// is not closed, because it may be waiting for responses (Receiver::on_end()).
//
// The kernel checks whether an idle peer still exists (keepalive, listen.ping_interval_s), and whether a peer that is
// sent to makes progress (TCP_USER_TIMEOUT). The protocol has no ping of its own. One thread.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "edge/net/door.hpp"
#include "edge/net/liveness.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

class LineListener {
 public:
  struct Settings {
    DoorSettings door;           ///< its `not_http` is set by the listener
    std::uint32_t max_line = 0;  ///< limits.message_bytes
    Liveness::Limits liveness;   ///< ping and pong are left to the kernel here
  };
  struct Closing {
    std::uint16_t code = 0;
    std::string reason;
  };
  struct Callbacks {
    /// Decides whether a connection is accepted: code 0, or the code and reason of the refusal.
    std::function<Closing(const std::string& peer)> admit;
    /// The connection lives until the returned receiver's on_close() has been called.
    std::function<std::unique_ptr<Receiver>(Connection&, const std::string& peer, const ClientCertificate& certificate)>
        on_open;
    /// A connection was refused or closed before it was opened.
    std::function<void()> turned_away;
  };

  LineListener(boost::asio::io_context& io, Settings settings, Callbacks callbacks);
  ~LineListener();

  /// Returns an empty text, or what is wrong and where.
  [[nodiscard]] std::string listen();
  [[nodiscard]] std::uint16_t port() const;
  /// Accepts no new connections from now on; open ones continue.
  void stop();
  [[nodiscard]] std::string reload_tls();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The last line of a connection, including its end.
std::string encode_close_line(std::uint16_t code, std::string_view reason);

}  // namespace nuropb::edge
