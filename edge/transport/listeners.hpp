#pragma once
// The listeners for clients, one for each transport, with their settings from the config. They share limits, trusted proxies and
// certificates, and count connections together.
//
// Owner thread: the edge's io_context.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/config.hpp"
#include "edge/net/arrivals.hpp"
#include "edge/transport/line_listener.hpp"
#include "edge/transport/websocket.hpp"

namespace nuropb::edge {

/// Which hosts and proxies the settings name.
HeadRules head_rules(const Config::Listen& listen);

class Listeners {
 public:
  struct Callbacks {
    WebSocketListener::Callbacks websocket;
    LineListener::Callbacks lines;
    /// A TLS handshake has ended for the client's certificate, or for the lack of one.
    std::function<void()> on_bad_certificate;
  };

  /// `read_certificates`: how certificates and keys are read (tls.hpp); nothing: by this process.
  Listeners(const Config& config, boost::asio::io_context& io,
            const std::function<Result<std::string>(const std::string& file)>& read_certificates, Callbacks callbacks);

  Result<void> listen();
  /// No new connections from now on; the open ones go on.
  void stop();
  /// Reads certificates and keys again; an empty text, or what is wrong, and the former ones stay in force.
  [[nodiscard]] std::string reload_tls();

  [[nodiscard]] std::uint16_t port() const { return websocket_->port(); }
  /// Takes over a connection whose request is a WebSocket handshake.
  void open_websocket(Guest guest) { websocket_->enter(std::move(guest)); }
  /// 0: JSON lines are not spoken.
  [[nodiscard]] std::uint16_t lines_port() const { return lines_ ? lines_->port() : 0; }
  [[nodiscard]] const std::shared_ptr<Arrivals>& arrivals() const { return arrivals_; }

 private:
  std::shared_ptr<Arrivals> arrivals_;
  std::unique_ptr<WebSocketListener> websocket_;
  std::unique_ptr<LineListener> lines_;  // nullptr: lines.enabled is off
};

}  // namespace nuropb::edge
